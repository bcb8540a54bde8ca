"""VGG-19: describes a picture by feature maps, and pulls gradients back to its pixels.

Read `encoder` first: `Encoder.forward` and `Encoder.pullback`, by layer name. It knows nothing of
losses. `weights` loads the embedded network or a user's file, and `input_conventions` says which
colours and range a network wants and how to tell. `convolution`, `pooling` and `winograd` are one
convolution, one pooling and one algorithm, there and back, for each kind of machine. The shape of
VGG-19 itself is in `impasto.layers`.
"""

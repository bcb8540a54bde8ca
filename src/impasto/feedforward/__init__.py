"""Networks that paint at once, and how they are trained.

=======================  ==========================================================================
`network`                the network: a U of convolutions, steered by a film of gains and biases
`style_code`             from a style to its film: what makes the network universal
`base`                   the base network inside the package, and other base files
`model`                  a network trained on styles of its own: one file, which is a style
`model_file`             its file, and that of a base network
`painter`                a network and its film, blends of them, and pictures of any size
`upsampling`             small painted pictures at the size of their photographs
`repainting`             strokes with edges and grain in what was enlarged
=======================  ==========================================================================

Begin with `network`: its `forward` is the whole way of a picture.
"""

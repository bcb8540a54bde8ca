"""What moves in a film, and what follows from it. Pictures in, flows and masks out; no painting.

Pictures are (1, 3, H, W), sRGB 0..1; flows (1, 2, H, W), pixels, x before y; masks (1, 1, H, W),
0..1; all float32. A flow leads from a pixel of one frame to the same thing in another; `warping`
takes a picture along it.

- `flow`: the optical flow from one frame to another. Begin here.
- `warping`: a picture sampled along a flow, without blur and without darkening.
- `consistency`: holes, where a warped picture is not to be trusted, and what stands still.
- `light`: what a fade or a flash did to a whole frame. `noise`: how strong the film's grain is.
"""

"""What moves in a film, and what follows from it. Pictures in, flows and masks out; no painting.

Pictures are (1, 3, H, W), sRGB 0..1; flows (1, 2, H, W), pixels, x before y; masks (1, 1, H, W),
0..1; all float32. A flow leads from a pixel of one frame to the same thing in another; `warping`
takes a picture along it.

- `flow`: the optical flow from one frame to another. Begin here.
- `warping`: a picture sampled along a flow, without blur and without darkening.
- `consistency`: holes, where a warped picture is not to be trusted. `filling`: what goes in there.
- `stillness`: what does not move at all.
- `unseen`: motion where the film shows none, as on a plain wall. `slopes`: derivatives.
- `light`: what a fade or a flash did to a whole frame. `noise`: how strong the film's grain is.

A frame and the one before it, as a painter uses them::

    forward, backward = find_flow(previous, current), find_flow(current, previous)
    holes = find_holes(previous, current, forward, backward)
    if is_cut(holes): ...  # a shot begins
    start = fill_holes(warp(painted, backward), current, holes)
    still = find_still(previous, current, backward)

To a frame farther back, `join_flows` gives a guess that `find_flow` makes exact.
"""

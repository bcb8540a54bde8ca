"""The function that is minimised: network and losses together give a value and a gradient.

Read `objective` first: two passes over the tiles of a picture, the second in `tile_gradient`.
`targets` makes an objective from pictures; what a level must reach is in `content_targets`,
`style_targets`, `spectrum_targets` and `feature_targets`. For the last, `neighbor_search` asks a
`neighbor_index` of the `neighbor_styles`, on the `neighbor_grid`. `describer` adds up sums over
`tiles`. `windows` evaluates parts of a picture that stand for the whole, which `window_plan`
chooses. `cuda_graph` records an evaluation on NVIDIA devices.
"""

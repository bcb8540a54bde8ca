"""Training: a network of one's own, from a style and some photographs, in minutes.

=====================  ===========================================================================
`training`             the way in: `iterate_train` and `train`
`training_run`         a training that goes on: its steps, how it is judged, its state
`training_settings`    how long, on what, and which settings of `stylize` count
`trainer`              the network as it is trained: one step, the model so far
`crops`                crops of photographs, described once, and the loss of a painted crop
`lattice`              a loss against the network's own grid, which the objective does not see
`photographs`          those in the package, or a folder's
`training_checkpoint`  a training in a file, so that it outlives its process
=====================  ===========================================================================

Begin with `training`. The loss is the one that `stylize` minimises (`impasto.objective`), with
`lattice` beside it.
"""

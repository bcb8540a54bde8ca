"""Painting: from pictures and settings to a picture, step by step.

Read `synthesis` first, which is the main path: `iterate` and its siblings settle the settings, open
the pictures and make a `Task` of them; `start_run` checks it, plans its `Run` and returns its
steps. Then read `run`, the loop over the levels and their steps.

opened_task         from what a user names to a task: settings settled, pictures opened and cut
planning            what a run will take: whether it fits, its memory and its time
proof_run           a run whose last level is painted in windows alone
finished            makes `stylize` of `iterate`, and every other call that returns a picture
run                 `Run`, and its loop over the levels
step                the `Step` that it yields, and the `RunState` that the rest depends on
level_plan          how each level is worked on: whole or in tiles, by this process or a cluster
at_once             `NetworkRun`: what networks paint at once, a single step
named_pictures      what is named as a picture or a model, before it is opened
memory_plan         what a level takes of memory, and the fastest way that fits
cluster_plan        which levels a cluster works on, and in which tiles
cluster_estimate    what a run on a cluster would take
checkpoint          a run's state in a file: saving, loading, and what may be resumed
checkpoint_facts    what that file says of its run, and how it differs from another
checkpoint_writer   when the file is written during a run, and what it may replace
"""

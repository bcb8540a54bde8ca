"""What a run leaves beside its picture: a film, a log and a plot. Each is fed with the run's steps.

- `film`: which moments of a run become frames. `film_files` writes them as GIF or MP4.
- `loss_log`: one line of JSON per iteration.
- `loss_plot`: the same losses as curves.
- `closing`: how each of them ends where the run has failed.

Begin with `loss_log`, the simplest: `film` and `loss_plot` are used in the same way.
"""

"""Films painted in a style, frame by frame, so that nothing flickers.

- `film_painting`: `iterate_video`, the generator of painted frames. Begin here. `film_task` makes a
  task of each frame.
- `shot_painter`: the frames of a shot, each led by the motion from those before it.
  `frame_painter`: one frame, as a still or from where the motion leads. `motion_trail`: the motion
  between near and distant frames.
- `cut_finder`: where a film is cut, and where a scene is hidden by a flash. `shots`: the shots that
  this makes of a film.
- `film_file`: `stylize_video`, from a film to a file. `work_folder`: where painted frames lie until
  then. `shot_workers`: shots painted by several processes, or by a Ray cluster.
- `film_recipe`: what made a film, as its file says it.
- `keyframes`: what changes with time, from a file or a painted film. `mask_film`: masks that are
  films.
- `stills`: looks before the work.

Films are read and written by `impasto.video_files`; the motion is found by `impasto.motion`.
"""

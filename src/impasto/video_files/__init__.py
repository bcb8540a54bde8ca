"""Moving pictures in and out: films, animations and image sequences. No painting happens here.

- `video`: what a film is: `Video`, its facts, and `Frame`. Begin here.
- `opening`: `open_video`, which tells films, animations and image sequences apart.

From a file to frames:

- `film_reading`: films that PyAV reads; `decoding` makes frames of packets and says how far a
  damaged file goes (`held_failure` keeps what is wrong until its last frame is out);
  `frame_times` gives every frame its time and duration.
- `planes`: the samples of a frame, and frames of samples. `rotation`: which way is up.
- `animations`: GIF, WebP and PNG that move. `image_sequences`: a folder, a glob, a pattern.

Colours: `colors` says how a film codes them and converts between that and RGB, `chroma` between
whole and halved planes.

From frames to a file:

- `output_kinds`: what can be written, and with which encoder. `checking`: `check_output`, which
  says before the work what would prevent it.
- `writing`: `VideoWriter`. `film_writing` and `sequence_writing` do its work, `palettes` for GIF.
- `recipes`: what made a film, into the file and out of it.
- `copied_streams`: sound, subtitles and chapters, which go over packet for packet.

`av_library` imports PyAV, for `recording` too.
"""

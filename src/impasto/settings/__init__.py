"""What a picture looks like, declared once. Flags, controls and recipes are made from it.

- `model`: `Settings`, the one declaration. Begin here.
- `presets`: named sets of settings, and the values that single commands have instead.
- `at_once`: what the preset `instant` has no use for.
- `normalizations`: what goes with losses that are scaled as a text has them.
- `groups`: under which heading a setting is shown.
- `print_size`: sheets of paper and resolutions, and the pixels that follow; no setting.
- `limits`: how large pictures may be.
- `parsing`: what a user writes becomes a value, and a value what a user writes.
- `wording`: what help pages say of settings.
- `bounds`: what a value should be, in words, and why one is refused.
- `recipes`: what made a picture, as the picture says it, and whether that can be believed.
- `film_facts`, `keyframe`: what a film's recipe says beside its settings.
- `command_line`: from a recipe to the command that makes its picture again.

No module here knows pictures, tensors or files of pictures.
"""

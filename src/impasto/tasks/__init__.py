"""What one run is to do: the pictures and settings of a user, and what follows from them.

Read `task` first. A user gives `styles`, `regions` and colour-coded maps (`color_maps`);
`regions` divides the content among styles, and `style_views` shows each style as a level looks at
it. `levels` has the sizes of the pyramid, `starts` the first picture, `kept_mask` what stays,
`result` the picture that is shown, `prints` what of a content is on a sheet of paper. `checks`
finds out before the work what would prevent it.
"""

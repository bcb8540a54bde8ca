"""Pictures in and out, and what is done with pixels. Everything else knows only sRGB in 0..1.

- `image`: the one `Image` type, and `open_image`, which makes it of everything else. Begin here.

From a file to samples:

- `reading` opens the file and chooses the decoder; `formats` recognises it by its first bytes.
- `png_chunks` and `jpeg_end`: what may be missing in a PNG and a JPEG. `host_settings`: what the
  host set in Pillow, NumPy and warnings does not count.
- `decoding` (Pillow, 16-bit PNG) and `tiff_decoding` give samples as the file holds them.
- `tiff_pages`: which page of a TIFF is the picture. `pillow_faults`: what Pillow misreads.
  `picture_file`: the file of a Pillow picture.
- `sample_scales`: what is black and what is white. `arrays`: NumPy and torch by the same rule.
- `color_tags`: what a file says of its colours beside an ICC profile (`nclx`: in an AVIF), and
  `colorimetry`: the profile that is made of it. `profiles`: all colours into sRGB.
- `metadata`: recipe (JSON, XMP) and orientation (EXIF), into files and out of them.
- `transparency`: samples with alpha. `hidden_colors`: what wholly transparent pixels hide.

From an image to a file: `encoding` makes the bytes, `writing` checks and replaces the file.

With pixels:

- `resizing`; `repeating`, for tiles.
- `masks`, which say what belongs to whom; `blending` along a mask.
- `color`: Oklab and sRGB's gamut. `color_transfer`: one picture's colours moved to another's.
"""

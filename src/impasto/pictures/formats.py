"""The formats of picture files, by their names."""

from __future__ import annotations

PICTURE_EXTENSIONS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".heic",
    ".heif",
    ".avif",
)
"""Of the files that are taken for pictures where a folder is named."""

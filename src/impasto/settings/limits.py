"""How large pictures may be."""

from __future__ import annotations

LARGEST_SIDE = 65_536
"""Long side in pixels of the largest result."""

DEFAULT_MAX_PIXELS = 200_000_000
"""Width times height of the largest input picture, where nothing else is said."""

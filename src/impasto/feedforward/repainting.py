"""An enlarged painting is painted again, so that its strokes have edges and grain at the new size.

However well it is enlarged, a painting has no detail that its first size could not show. The
network paints such detail at any size. So it paints over the enlarged painting, and of what it
paints the detail alone is taken: forms and colours stay, and so does the size of the strokes.

The division into coarse and fine is that of Burt, Adelson, The Laplacian Pyramid as a Compact Image
Code, 1983. Gatys et al., Controlling Perceptual Factors, 2017, section 6, begin a large optimisation
with an enlarged small one for the same reason.
"""

from __future__ import annotations

from torch import Tensor

from impasto.feedforward.network import STRIDE
from impasto.feedforward.painter import LEAST_SIDE, Painter
from impasto.pictures.resizing import Size, on_grid, resize

_COARSE = 4
"""Times smaller is the size that shows what stays. Half of what the first size of a doubling shows:
its finest strokes are soft in themselves."""


def repaint(painter: Painter, enlarged: Tensor, *, periodic: bool = False) -> Tensor:
    """An enlarged painting with the detail that a network paints at its size.

    Args:
        painter: the network that painted it.
        enlarged: (1, 3, H, W), sRGB 0..1, where the painter's kernels are.
        periodic: whether it repeats.

    Returns:
        (1, 3, H, W), 0..1.
    """
    size = (enlarged.shape[2], enlarged.shape[3])
    given = resize(enlarged, _taken(size), periodic=True) if periodic else enlarged
    again = resize(painter.paint(given.clamp(0, 1), periodic=periodic), size, periodic=periodic)
    coarse = max(1, size[0] // _COARSE), max(1, size[1] // _COARSE)
    kept = resize(enlarged - again, coarse, periodic=periodic)
    return again.add_(resize(kept, size, periodic=periodic)).clamp_(0, 1)


def _taken(size: Size) -> Size:
    """The size nearest to another at which a network paints pictures that repeat."""
    height, width = on_grid(size, STRIDE)
    return max(height, LEAST_SIDE), max(width, LEAST_SIDE)

"""Where the content counts: more in its details than on its plain areas.

A plain sky has feature maps too, and a content loss holds a picture to them as firmly as to a face:
strokes there come out faint, and nothing of the painting that is larger than a stroke finds a
place. So each place counts by how much there is to see around it (docs/decisions/0030-focus.md).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from impasto.pictures.resizing import fit, resize

_LOOK = 256  # long side of the picture in which detail is looked for, at every level alike
_REACH = 3  # pixels of it, to each side, in which colours are compared


def detail_weights(content: Tensor, focus: float, *, periodic: bool = False) -> Tensor | None:
    """How much each pixel of a content counts.

    With s the standard deviation of the colours around a place and m its mean over the picture, it
    is 1 - focus + focus min(1, 2 s / (s + m)): 1 where there is as much to see as on average.

    Args:
        content: (1, 3, H, W), sRGB 0..1.
        focus: 0 for all places alike (the result is None) to 1, where plain areas do not count.
        periodic: whether the picture repeats.

    Returns:
        (1, 1, H, W), 0..1.
    """
    if not focus:
        return None
    size = (content.shape[2], content.shape[3])
    small = resize(content, fit(size, min(_LOOK, max(size))), periodic=periodic)
    mean = _around(small, periodic=periodic)
    squares = (small - mean).square().sum(1, keepdim=True)
    variance = _around(_around(squares, periodic=periodic), periodic=periodic)
    deviation = variance.clamp_min(0).sqrt()
    counts = (2 * deviation / (deviation + deviation.mean() + 1e-8)).clamp(max=1)
    weights = (1 - focus) + focus * counts
    return resize(weights, size, periodic=periodic).clamp(0, 1)


def _around(planes: Tensor, *, periodic: bool) -> Tensor:
    """The mean of the square around each place."""
    reach = min(_REACH, *planes.shape[2:])
    wide = functional.pad(planes, (reach,) * 4, mode="circular" if periodic else "replicate")
    return functional.avg_pool2d(wide, 2 * reach + 1, 1)

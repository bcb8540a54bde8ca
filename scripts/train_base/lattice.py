"""A loss that sees the network's own grid in what it paints, which the objective does not.

The network enlarges from a quarter of the size, four pixels by four from each of its cells. In a
plain place, where nothing says what to paint, the cheapest texture with the style's statistics is
one that repeats from cell to cell, also where maps are enlarged smoothly: sums over all positions
do not tell it from strokes, and the eye sees a lattice. Strokes know no grid. So the products of
neighbouring pixels are averaged for each place in a cell alone; how much these means differ is the
loss.

Source: Gardner, Napolitano, Paura, Cyclostationarity: Half a Century of Research, 2006, whose
cyclic autocorrelation this is; impasto's own is to train by it. `benchmarks.quality.lattice` judges
finished pictures by the same, as they are seen: in Lab, in plain places alone.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.quality.metrics import blur
from impasto.feedforward.network import QUARTER

CELL = 2**QUARTER
"""Pixels in the side of a cell."""

LATTICE = 4.0
"""Weight of the loss beside the logarithm of what the objective says."""

_REACH = CELL  # pixels; how far apart are those whose products are taken, at most
_SOFT = 3.0  # deviation in pixels of the blur that detail stands out from
_FAINT = 1e-5  # mean square of detail that cannot be seen: less than one level of 255


def lattice_loss(painted: Tensor) -> tuple[float, Tensor]:
    """How much the detail of a picture depends on the place in the network's grid.

    Args:
        painted: (1, 3, H, W), sRGB 0..1, both sides at least 16.

    Returns:
        The loss, 0 where no place in a cell differs from the others and about 1 where they differ
        as much as the detail is strong; and its gradient at the pixels, (1, 3, H, W).
    """
    with torch.enable_grad():
        pixels = painted.detach().float().requires_grad_()
        loss = lattice_of(pixels)
        loss.backward()  # type: ignore[no-untyped-call]
    assert pixels.grad is not None
    return float(loss.detach()), pixels.grad


def lattice_of(pixels: Tensor) -> Tensor:
    """The loss alone, of (1, 3, H, W), as `lattice_loss` has it."""
    planes = pixels.transpose(0, 1)
    detail = planes - blur(planes, _SOFT)
    strength = (blur(detail.square(), _SOFT).mean(0, keepdim=True) + _FAINT).sqrt()
    around = functional.unfold(detail / strength, (CELL + _REACH, CELL + 2 * _REACH), stride=CELL)
    own, others, counts = (one.to(pixels.device) for one in _pairs())
    cell = around[:, own]
    products = torch.einsum("cin,cjn->ij", cell, around) / around.shape[2]
    places = torch.arange(CELL**2, device=pixels.device)
    means = products[places, others]  # (lags, places)
    differences = (means.var(1, correction=0) * counts).sum()
    return differences / ((means.mean(1).square() * counts).sum() + _FAINT)


@cache
def _pairs() -> tuple[Tensor, Tensor, Tensor]:
    """Which pixels of a window are multiplied: with each pixel of its cell those near it.

    Returns:
        Where the cell's pixels are in the window, (places,); for each lag where the other pixel is,
        (lags, places); and how many lags each lag stands for, (lags,): its opposite has the same
        products.
    """
    columns = CELL + 2 * _REACH
    down, across = (
        one.flatten() for one in torch.meshgrid(*[torch.arange(CELL)] * 2, indexing="ij")
    )
    own = down * columns + across + _REACH
    lags = [(0, right) for right in range(_REACH + 1)]
    lags += [
        (below, right) for below in range(1, _REACH + 1) for right in range(-_REACH, _REACH + 1)
    ]
    others = torch.stack([own + below * columns + right for below, right in lags])
    return own, others, torch.tensor([1.0, *[2.0] * (len(lags) - 1)])

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

from impasto.feedforward.network import QUARTER

CELL = 2**QUARTER
"""Pixels in the side of a cell."""

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
    planes = (pixels - pixels[:, :, :1, :1].detach()).transpose(0, 1)  # 0 where all is plain
    detail = planes - _blurred(planes)
    strength = (_blurred(detail.square()).mean(0, keepdim=True) + _FAINT).sqrt()
    products = _products(detail / strength)
    others, counts = (one.to(pixels.device) for one in _pairs())
    places = torch.arange(CELL**2, device=pixels.device)
    means = products[places, others]  # (lags, places)
    differences = (means.var(1, correction=0) * counts).sum()
    return differences / ((means.mean(1).square() * counts).sum() + _FAINT)


def _products(planes: Tensor) -> Tensor:
    """(places, pixels): mean products of a cell's pixels with those of the cells around it.

    Around it are the cells beside it, and the three beneath: 8 rows of 12 pixels, one after the
    other. What is above has the same products.
    """
    count, _, height, width = planes.shape
    rows, columns = height // CELL, width // CELL
    cells = planes[:, 0, : rows * CELL, : columns * CELL].reshape(count, rows, CELL, columns, CELL)
    cells = cells.transpose(2, 3)
    rows, columns = rows - 1, columns - 2
    own = cells[:, :rows, 1:-1].reshape(-1, CELL**2)
    products = [
        own.t() @ cells[:, down : down + rows, across : across + columns].reshape(-1, CELL**2)
        for down in range(2)
        for across in range(3)
    ]
    means: Tensor = torch.stack(products, 1) / (rows * columns)
    return means.view(CELL**2, 2, 3, CELL, CELL).transpose(2, 3).flatten(1)


def _blurred(planes: Tensor) -> Tensor:
    """(N, 1, H, W) after a Gaussian of `_SOFT`; the edge is repeated."""
    down, across = (_blur_of(side).to(planes.device) for side in planes.shape[2:])
    return down.t() @ planes @ across


@cache
def _blur_of(side: int) -> Tensor:
    """(side, side): what a row is multiplied by to blur it. Quicker than wide convolutions of a
    single channel, above all on the way back.
    """
    reach = int(3 * _SOFT + 0.5)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / _SOFT).square())
    wide = functional.pad(torch.eye(side)[:, None], (reach, reach), mode="replicate")
    return functional.conv1d(wide, (kernel / kernel.sum()).view(1, 1, -1))[:, 0]


@cache
def _pairs() -> tuple[Tensor, Tensor]:
    """Which products are compared.

    Returns:
        For each lag and each place in a cell, where the pixel of that lag is around the cell,
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
    return others, torch.tensor([1.0, *[2.0] * (len(lags) - 1)])

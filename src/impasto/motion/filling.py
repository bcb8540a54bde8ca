"""What is painted into holes until the painter has worked on them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from impasto.pictures.color_transfer import WeightedColors, linear_transfer

_LEAST_TRUSTED = 0.01  # of the picture; less says nothing of how it is painted
_RIDGE = 1e-4  # how much the map of colours is drawn to no change, against a pixel's mean square


def fill_holes(painted: Tensor, frame: Tensor, holes: Tensor) -> Tensor:
    """A warped painting whose holes look as the frame would look if painted.

    An affine map from the frame's colours to the painting's is fitted by least squares outside the
    holes. The less a painting follows its frame, the paler that makes the colours; so they
    get the painting's contrast. What the map leaves there, the paint itself, is spread into the
    holes from their edges and added to the mapped frame.

    Args:
        painted: a painting warped to where things are in ``frame``, (1, 3, H, W), 0..1.
        frame: the frame, the same.
        holes: (1, 1, H, W), 0..1, 1 where ``painted`` is not to be trusted.

    Returns:
        (1, 3, H, W), 0..1: ``painted`` itself where there is no hole, and the frame where
        everything is one.
    """
    if not bool((holes > 0).any()):
        return painted
    trusted = 1 - holes
    if float(trusted.mean()) < _LEAST_TRUSTED:
        return torch.lerp(painted, frame, holes)
    mapped = _mapped_colors(frame, painted, trusted).clamp(0, 1)
    lively = linear_transfer(WeightedColors(mapped, trusted), WeightedColors(painted, trusted))
    mapped = lively(mapped)
    rest = _spread(painted - mapped, trusted)
    return torch.lerp(painted, (mapped + rest).clamp(0, 1), holes)


def _mapped_colors(frame: Tensor, painted: Tensor, weight: Tensor) -> Tensor:
    """``frame`` with the affine map of colours that makes ``painted`` of it where it weighs."""
    colors = frame.flatten(2)[0].double()
    source = torch.cat((colors, torch.ones_like(colors[:1])))
    change = (painted - frame).flatten(2)[0].double()
    weighted = source * weight.flatten().double()
    # Sums along a dimension are the same with any number of threads; matrix products are not.
    products = torch.stack([(row * torch.cat((source, change))).sum(1) for row in weighted])
    ridge = torch.eye(4, dtype=source.dtype, device=source.device)
    system = products[:, :4] + _RIDGE * (1 + products[3, 3]) * ridge
    matrix = torch.linalg.solve(system, products[:, 4:])
    moved: Tensor = (matrix.T @ source).float().view_as(frame)
    return frame + moved


def _spread(values: Tensor, weight: Tensor) -> Tensor:
    """Values where they weigh, and elsewhere means of those around, from ever farther away.

    Pull and push: Gortler, Grzeszczuk, Szeliski, Cohen, The Lumigraph, 1996.

    Args:
        values: (1, 3, H, W).
        weight: (1, 1, H, W), 0..1.

    Returns:
        (1, 3, H, W); 0 where nothing weighs anywhere.
    """
    height, width = values.shape[-2:]
    if max(height, width) == 1:
        return values * (weight > 0)
    share = functional.avg_pool2d(weight, 2, ceil_mode=True)
    coarse = functional.avg_pool2d(values * weight, 2, ceil_mode=True) / share.clamp(min=1e-6)
    beyond = _spread(coarse, (4 * share).clamp(max=1))
    wider = beyond.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :height, :width]
    # Smoothed and not interpolated, which would differ in the last bit by the number of threads.
    smooth = functional.avg_pool2d(wider, 3, 1, 1, count_include_pad=False)
    return torch.lerp(smooth, values, weight)

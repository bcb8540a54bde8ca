"""Self-similarity: how far a picture's places are from one another, and whether that has changed.

A feature map is compared with itself, so that it may take on other colours and strokes, as long as
what was alike stays alike and what was apart stays apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from impasto.losses.normalization import TINY
from impasto.machine.sums import total
from impasto.pictures.resizing import Size

MOST_POSITIONS = 1024
"""How many positions of a layer are compared, each with every other."""

_MOST_EACH = 4
"""How many positions of a layer one that is compared may stand for, at full weight."""

_FACTOR = 7.0
_FLAT, _DARK = 1e-4, 1e-3


@dataclass(frozen=True)
class SelfSimilarityLoss:
    """Difference of two pictures' cosine distances between all pairs of positions.

    1/n sum_ij |D_ij / sum_k D_ik - E_ij / sum_k E_ik|, with D_ij = 1 - cos(F_i, F_j) for the
    features at n positions of the picture, E the same for the content (Kolkin, Salavon,
    Shakhnarovich: Style Transfer by Relaxed Optimal Transport and Self-Similarity, 2019,
    equation 7). Where this leaves the paper: layers are compared each for itself, not stacked; and
    it divides by n, not n^2, which with rows that sum to 1 frees the value from n: before the
    factor it lies between 0 and 2.

    The factor is measured: with it equal weights hold the content about as strongly as
    ``features`` does (docs/decisions/0011-self-similarity.md).

    Attributes:
        target: (n, n), the content's distances, with rows that sum to 1.
        dark: norm below which a feature is taken to point nowhere.
    """

    target: Tensor
    dark: Tensor

    @classmethod
    def of(cls, content: Tensor) -> Self:
        """The loss of a content with features (n, C), float32 or float64."""
        dark = _DARK * content.square().sum(1).mean().sqrt()
        return cls(_distances(content, dark), dark)

    def __call__(self, picture: Tensor) -> Tensor:
        """Value, a scalar; differentiable by the picture's features (n, C), at the same places."""
        apart = total((_distances(picture, self.dark) - self.target).abs())
        return _FACTOR * apart / len(picture)

    def with_gradient(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """The same value and its gradient (n, C), written out: in half of autograd's time."""
        directions, norms = _directions(picture, self.dark)
        share = _apart(directions)
        sums = share.sum(1, keepdim=True)
        floor = _FLAT * len(picture)
        share.div_(sums.clamp_min(floor))
        slope = share - self.target
        value = _FACTOR * total(slope.abs()) / len(picture)
        slope.sign_()
        along = torch.linalg.vecdot(slope, share)[:, None].masked_fill_(sums < floor, 0)
        slope.sub_(along).div_(sums.clamp_min_(floor))  # by the distances, before the division
        slope = (slope + slope.t()).mul_(-_FACTOR / len(picture))
        turned = slope @ directions
        turned.addcmul_(directions, torch.linalg.vecdot(directions, turned)[:, None], value=-1)
        return value, turned.div_(norms)


def _distances(features: Tensor, dark: Tensor) -> Tensor:
    """(n, n): cosine distances, with rows that sum to 1 unless all features are the same."""
    directions, _ = _directions(features, dark)
    apart = _apart(directions)
    return apart / apart.sum(1, keepdim=True).clamp_min(_FLAT * len(features))


def _directions(features: Tensor, dark: Tensor) -> tuple[Tensor, Tensor]:
    """(n, C) features of length 1, and their norms (n, 1)."""
    # A feature near 0 has no direction; the root of what is added keeps its slope finite.
    norms = (features.square().sum(1, keepdim=True) + dark.square() + TINY).sqrt()
    return features / norms, norms


def _apart(directions: Tensor) -> Tensor:
    """(n, n): cosine distances."""
    return 1 - directions @ directions.t()


def positions(size: Size, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns of the positions that are compared, as many as are allowed.

    One from each cell of a grid, at random but the same for every picture of that size, so that the
    loss is a fixed function of the picture. On a regular grid it would be smallest for a texture
    that repeats with the grid, and that was to be seen.

    Args:
        size: height and width of the layer's feature map.
        device: where to.

    Returns:
        Two tensors (n,) of integers, n at most `MOST_POSITIONS`.
    """
    step = 1
    while -(-size[0] // step) * -(-size[1] // step) > MOST_POSITIONS:
        step += 1
    cells = torch.cartesian_prod(*(torch.arange(0, length, step) for length in size))
    generator = torch.Generator().manual_seed(0)
    within = torch.rand(cells.shape, generator=generator, dtype=torch.float32)
    span = (torch.tensor(size) - cells).clamp(max=step)
    rows, columns = (cells + (within * span).long()).to(device).unbind(1)
    return rows, columns


def weight_on(size: Size) -> float:
    """Factor of the loss on a large map, of which it compares few positions.

    The gradient of a whole cell comes together in the one position that is compared. Where that
    stands for many, it leaves a patch of another colour, and a speck where it stands for thousands
    (docs/decisions/0011-self-similarity.md). Levels so large begin with what the coarser ones have
    found, and hardly need this loss.

    Args:
        size: height and width of the layer's feature map.
    """
    return min(1.0, _MOST_EACH * MOST_POSITIONS / (size[0] * size[1]))

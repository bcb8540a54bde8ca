"""Regions of a level as losses that look at features see them, and positions drawn of styles.

Positions of several styles are pooled, those of each as often as its share says. Where there are
more than can be looked at, some are drawn, spread evenly over the pictures: the seed decides which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.layers import stride
from impasto.losses.statistics import FEWEST_POSITIONS
from impasto.machine.sums import total
from impasto.objective.neighbor_grid import pooled
from impasto.objective.style_targets import LevelRegion, StyleView

Blend = Sequence[tuple[float, Sequence[StyleView]]]
"""Styles with their shares, each with its views."""


@dataclass(frozen=True, eq=False)
class FeatureRegion:
    """A region of a level, and the styles whose features it must reach.

    Attributes:
        layers: the style layers with the weights of their losses.
        styles: see `Blend`.
        mask: (1, 1, H, W), 0..1: how much each of the picture's pixels belongs to it; None for all.
    """

    layers: Mapping[str, float]
    styles: Blend
    mask: Tensor | None = None

    @classmethod
    def of(cls, region: LevelRegion, layers: Mapping[str, float]) -> FeatureRegion:
        """A region of a level, whose views are made."""
        return cls(layers, [(share, tuple(views)) for share, views in region.styles], region.mask)

    @property
    def seeing(self) -> list[str]:
        """The layers that see a position of it or more."""
        return [layer for layer in self.layers if _sees(layer, [self.mask])]


def seen_together(region: FeatureRegion) -> tuple[list[str], Blend]:
    """The layers that see every style, and the styles: all that some layer sees.

    A neighbour has features in all layers, so that one layer cannot leave out a style by itself.
    """
    layers, styles = region.seeing, region.styles
    masks = [[mask for _, mask in pictures] for _, pictures in styles]
    by_style = [{layer for layer in layers if _sees(layer, own)} for own in masks]
    shown = [style for style, seeing in zip(styles, by_style, strict=True) if seeing]
    together = set(layers).intersection(*filter(None, by_style)) if shown else set()
    return [layer for layer in layers if layer in together], shown


def chances_of(share: float, counts: Sequence[Tensor], least: float) -> Tensor | None:
    """How likely each position of a style is drawn beside those of others, (N,), float64.

    Args:
        share: of the style.
        counts: (n,) each, by picture: how much its positions count.
        least: what they must add up to; if they do not, there is nothing to draw.
    """
    # Not every device has float64.
    together = torch.cat(list(counts)).cpu().double()
    seen = total(together)
    return share * together / seen if seen >= least else None


def spread(chances: Tensor, most: int, seed: int) -> Tensor:
    """Indices in rising order, each as often as its chance says: all once where all are alike.

    ``chances`` (N,) are float64, on the processor.
    """
    count = min(most, len(chances))
    generator = torch.Generator().manual_seed(seed)
    jitter = torch.rand(count, generator=generator, dtype=torch.float64)
    places = (torch.arange(count, dtype=torch.float64) + jitter.clamp(0.01, 0.99)) / count
    ends = chances.cumsum(0)
    return torch.searchsorted(ends / ends[-1], places)


def _sees(layer: str, masks: Iterable[Tensor | None]) -> bool:
    """Whether a layer has a position or more that count, in pictures with these masks."""
    counts = [None if mask is None else float(total(pooled(mask, stride(layer)))) for mask in masks]
    return None in counts or sum(filter(None, counts)) >= FEWEST_POSITIONS

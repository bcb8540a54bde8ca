"""What the style losses that look at features are to reach: made once for a level, from pictures.

Positions of several styles are pooled, those of each as often as its share says. Where there are
more than can be looked at, some are drawn, spread evenly over the pictures: the seed decides which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import overload

import torch
from torch import Tensor
from torch.nn import functional

from impasto.encoder import Encoder, stride
from impasto.errors import SettingsError
from impasto.feature_losses import MOST_POSITIONS, FeatureLoss, NeighborLoss, SlicedLoss
from impasto.pyramid import Size
from impasto.settings import Settings
from impasto.statistics import FEWEST_POSITIONS, as_matrix

Styles = Sequence[tuple[float, Sequence[tuple[Tensor, Tensor | None]]]]
"""Styles with their shares; each is pictures (1, 3, h, w) with masks (1, 1, h, w) or None."""

GRID = 4
"""Neighbours are sought for every so many pixels (Kolkin et al. 2022: a quarter of the side)."""

CONTENT_SHARE = 0.25
"""Share of the content in the picture whose neighbours are sought; the rest is the picture that the
level begins with, which has the strokes of the level before."""

_MOST_TURNED = 2048
_TURNS = [(quarters, flipped) for flipped in (False, True) for quarters in range(4)]
_CHUNK = 1024
_TINY = 1e-12

FeatureLosses = Mapping[str, Sequence[tuple[float, FeatureLoss]]]
"""By style layer: losses, each with its weight."""


def feature_losses(
    encoder: Encoder,
    layers: Mapping[str, float],
    styles: Styles,
    settings: Settings,
    *,
    seen: Tensor | None = None,
    mask: Tensor | None = None,
) -> FeatureLosses:
    """The losses of `FEATURE_LOSSES` that the settings ask for, towards some styles.

    Args:
        encoder: describes the pictures. If it is periodic, styles are not.
        layers: the style layers with the weights of their losses.
        styles: see `Styles`.
        settings: weights of losses and layers, padding and seed.
        seen: (1, 3, H, W), sRGB 0..1: the picture whose neighbours are sought, if any are.
        mask: (1, 1, H, W), 0..1: how much each of its pixels belongs to the part that has these
            styles; None for all of it.

    Returns:
        Nothing for a layer that sees less than a position of the part, or of its styles.

    Raises:
        SettingsError: neighbours are sought, and there is no picture.
    """
    ending = encoder.padded(settings.padding) if encoder.periodic else encoder
    layers = {layer: weight for layer, weight in layers.items() if _sees(layer, [mask])}
    made: list[tuple[float, Mapping[str, FeatureLoss]]] = []
    if weight := settings.style_loss.get("sliced"):
        rows = drawn(ending, layers, styles, None, MOST_POSITIONS, settings.seed)
        made.append((weight, {x: SlicedLoss.of(_wide(rows[x]), settings.seed) for x in rows}))
    if weight := settings.style_loss.get("neighbors"):
        if seen is None:
            raise SettingsError(
                "style_loss neighbors: there is no picture whose neighbours could be sought; give "
                "a content or a start"
            )
        together, shown = seen_together(layers, styles)
        known = offered(ending, together, shown, settings.seed)
        columns = encoder.forward(seen, together, keep=False).maps
        made.append((weight, neighbor_losses(known, columns, settings.style_layers, seen, mask)))
    found = {
        layer: [(whole * weight, by[layer]) for weight, by in made if layer in by]
        for layer, whole in layers.items()
    }
    return {layer: losses for layer, losses in found.items() if losses}


def seen_together(layers: Iterable[str], styles: Styles) -> tuple[list[str], Styles]:
    """The layers that see every style, and the styles: all that some layer sees.

    A neighbour has features in all layers, so that one layer cannot leave out a style by itself.
    """
    layers = list(layers)
    masks = [[mask for _, mask in pictures] for _, pictures in styles]
    by_style = [{layer for layer in layers if _sees(layer, own)} for own in masks]
    shown = [style for style, seeing in zip(styles, by_style, strict=True) if seeing]
    together = set(layers).intersection(*filter(None, by_style)) if shown else set()
    return [layer for layer in layers if layer in together], shown


def mixed(content: Tensor | None, start: Tensor | None) -> Tensor | None:
    """The picture whose neighbours are sought at a level: its content, and something of its start.

    Args:
        content: (1, 3, H, W), or None.
        start: the picture that the level begins with, as large, or None.
    """
    if content is None or start is None:
        return start if content is None else content
    return start.lerp(content, CONTENT_SHARE)


def offered(
    encoder: Encoder, layers: Iterable[str], styles: Styles, seed: int
) -> dict[str, Tensor]:
    """By layer the rows of `on_grid` among which neighbours are sought: (R, D).

    The styles upright, and fewer positions of them turned by quarters, mirrored, or both.
    """
    rows: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for turn in _TURNS:
        turned = [
            (share, [(_turned(picture, turn), _turned(alpha, turn)) for picture, alpha in pictures])
            for share, pictures in styles
        ]
        most = _MOST_TURNED if any(turn) else MOST_POSITIONS
        for layer, part in drawn(encoder, rows, turned, GRID, most, seed).items():
            rows[layer].append(part)
    return {layer: torch.cat(parts) for layer, parts in rows.items()}


def neighbor_losses(
    known: Mapping[str, Tensor],
    maps: Mapping[str, Tensor],
    balance: Mapping[str, float],
    seen: Tensor,
    mask: Tensor | None = None,
) -> dict[str, NeighborLoss]:
    """Losses towards the features of the nearest neighbours.

    A position of the grid is described by all layers together (a hypercolumn): finer maps are
    averaged over it, of coarser ones it has the position above. Each layer is less its own mean and
    divided by its own size, so that ``balance`` says what each counts. The neighbour is the row
    with the largest cosine. From there come the features of all layers, of finer maps all positions
    below. Where several neighbours meet in one position of a coarser map, it is their mean.

    Args:
        known: what `offered` returned.
        maps: the feature maps (1, C, h, w) of ``seen``, by layer.
        balance: how much each layer counts.
        seen: see `feature_losses`.
        mask: the same.
    """
    size = grid_size(seen)
    counts = None if mask is None else _pooled(mask, GRID)
    ours, theirs = [], []
    for layer, rows in known.items():
        weight = balance[layer] ** 0.5
        own = _column(on_grid(maps[layer], layer, size), layer)
        ours.append(weight * _balanced(own, counts))
        theirs.append(weight * _balanced(_column(rows, layer)))
    matches = nearest(torch.cat(ours, 1), torch.cat(theirs, 1))
    losses = {}
    for layer, rows in known.items():
        squares = _column(rows.square(), layer).sum(1).mean().clamp_min(_TINY)
        losses[layer] = NeighborLoss(off_grid(rows[matches], layer, size, maps[layer]), squares)
    return losses


def drawn(
    encoder: Encoder,
    layers: Iterable[str],
    styles: Styles,
    grid: int | None,
    most: int,
    seed: int,
) -> dict[str, Tensor]:
    """Features of styles as rows (R, D) by layer, each style's as many as its share says.

    Args:
        encoder: describes the styles.
        layers: whose features.
        styles: see `Styles`.
        grid: see `on_grid`; None for each layer's own positions, with D = C.
        most: R at the most; all positions where there are no more.
        seed: of the choice, the same in all layers of one grid.

    Returns:
        Without a grid, a layer has nothing of a style that it sees less than a position of; one
        that has nothing of any style is left out.
    """
    layers = list(layers)
    least = _TINY if grid else FEWEST_POSITIONS
    rows: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    chances: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for share, pictures in styles:
        own: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
        for picture, alpha in pictures:
            features = encoder.forward(picture, layers, keep=False)
            for layer in layers:
                part = features[layer]
                part = on_grid(part, layer, grid_size(picture)) if grid else as_matrix(part)
                counts = None if alpha is None else _pooled(alpha, grid or stride(layer))
                own[layer].append((part, part.new_ones(len(part)) if counts is None else counts))
        for layer in layers:
            # Not every device has float64.
            together = torch.cat([counts for _, counts in own[layer]]).cpu().double()
            if together.sum() >= least:
                rows[layer] += [part for part, _ in own[layer]]
                chances[layer].append(share * together / together.sum())
    return {
        layer: torch.cat(rows.pop(layer))[_spread(torch.cat(chances[layer]), most, seed)]
        for layer in layers
        if chances[layer]
    }


def _spread(chances: Tensor, most: int, seed: int) -> Tensor:
    """Indices in rising order, each as often as its chance says: all once where all are alike.

    ``chances`` (N,) are float64, on the processor.
    """
    count = min(most, len(chances))
    generator = torch.Generator().manual_seed(seed)
    jitter = torch.rand(count, generator=generator, dtype=torch.float64)
    places = (torch.arange(count, dtype=torch.float64) + jitter.clamp(0.01, 0.99)) / count
    ends = chances.cumsum(0)
    return torch.searchsorted(ends / ends[-1], places)


def nearest(wanted: Tensor, known: Tensor) -> Tensor:
    """For each row of ``wanted`` (N, D) the index of the row of ``known`` with the largest cosine.

    The first of several; where either is zero, or not finite, any.
    """
    known = functional.normalize(known, dim=1)
    return torch.cat([(part @ known.t()).argmax(1) for part in torch.split(wanted, _CHUNK)])


def grid_size(picture: Tensor) -> Size:
    """Rows and columns of the grid that lies over a picture (1, 3, H, W)."""
    return -(-picture.shape[2] // GRID), -(-picture.shape[3] // GRID)


def on_grid(features: Tensor, layer: str, size: Size) -> Tensor:
    """A map (1, C, h, w) as rows, one for each position of the grid: (N, D).

    Of a finer map, D = C k k: the k x k positions below; of a coarser one, D = C: the one above.
    """
    finer, coarser = _ratios(layer)
    height, width = features.shape[2:]
    if finer > 1:
        features = functional.pad(features, (0, -width % finer, 0, -height % finer), "replicate")
        features = functional.pixel_unshuffle(features, finer)
    elif coarser > 1:
        features = features.repeat_interleave(coarser, 2).repeat_interleave(coarser, 3)
    return as_matrix(features[..., : size[0], : size[1]])


def off_grid(rows: Tensor, layer: str, size: Size, like: Tensor) -> Tensor:
    """The map (1, C, h, w), as large as ``like``, of which `on_grid` made these rows (N, D).

    Of a coarser map the mean of all rows that lie below a position.
    """
    finer, coarser = _ratios(layer)
    features = rows.view(1, *size, -1).permute(0, 3, 1, 2)
    if finer > 1:
        features = functional.pixel_shuffle(features, finer)
    elif coarser > 1:
        features = functional.avg_pool2d(features, coarser, ceil_mode=True)
    features = features[..., : like.shape[2], : like.shape[3]]
    return features.contiguous(memory_format=torch.channels_last)


def _ratios(layer: str) -> tuple[int, int]:
    """Positions of a layer along one side of the grid's, and the other way round."""
    return max(1, GRID // stride(layer)), max(1, stride(layer) // GRID)


def _column(rows: Tensor, layer: str) -> Tensor:
    """Rows of `on_grid` with the positions of finer maps averaged: (N, C), at least float32."""
    finer, _ = _ratios(layer)
    return _wide(rows).view(len(rows), -1, finer * finer).mean(2)


def _balanced(rows: Tensor, counts: Tensor | None = None) -> Tensor:
    """Rows (N, C) less their mean, with a mean square of 1; ``counts`` (N,) weigh the mean."""
    shares = None if counts is None else (counts / counts.sum().clamp_min(_TINY)).to(rows)
    mean = rows.mean(0) if shares is None else shares @ rows
    centred = rows - mean
    squares = centred.square().sum(1)
    size = squares.mean() if shares is None else shares @ squares
    return centred / size.clamp_min(_TINY).sqrt()


def _sees(layer: str, masks: Iterable[Tensor | None]) -> bool:
    """Whether a layer has a position or more that count, in pictures with these masks."""
    counts = [None if mask is None else float(_pooled(mask, stride(layer)).sum()) for mask in masks]
    return None in counts or sum(filter(None, counts)) >= FEWEST_POSITIONS


def _pooled(mask: Tensor, pixels: int) -> Tensor:
    """A mask (1, 1, H, W) as means of squares of ``pixels`` a side: (N,)."""
    return functional.avg_pool2d(mask, pixels, ceil_mode=True).flatten()


@overload
def _turned(picture: Tensor, turn: tuple[int, bool]) -> Tensor: ...
@overload
def _turned(picture: None, turn: tuple[int, bool]) -> None: ...
def _turned(picture: Tensor | None, turn: tuple[int, bool]) -> Tensor | None:
    """A picture (1, C, H, W), mirrored or not, and turned by quarters."""
    if picture is None:
        return None
    quarters, flipped = turn
    return torch.rot90(picture.flip(3) if flipped else picture, quarters, (2, 3))


def _wide(rows: Tensor) -> Tensor:
    return rows.to(torch.promote_types(rows.dtype, torch.float32))

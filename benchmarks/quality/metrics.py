"""How far a picture is from its style and from its content, and what should not be in it.

The judge sees layers that no preset optimises, at one size, in float32, the same for every method.
All figures are distances: 0 where the pictures are the same, larger is further.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.quality.bands import Bands, compare_bands
from impasto.losses.statistics import as_matrix
from impasto.network.encoder import Encoder

STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_4", "relu4_4")
"""Not in any preset, for style or content; their neighbours are, so they are no stranger's eye."""

CONTENT_LAYERS = ("relu3_4", "relu4_4")

_DIRECTIONS, _QUANTILES, _GRID = 64, 512, 24
_FLAT_SHARE = 0.4
_LAB_WHITE = (0.95047, 1.0, 1.08883)  # D65
_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


@dataclass(frozen=True)
class Distances:
    """What the judge says of one picture.

    Attributes:
        style: to the style's features: sliced Wasserstein, in standard deviations of the style.
        palette: to the style's colours: sliced Wasserstein in CIE Lab; all colours shifted by one
            unit of Lab make about 1.
        structure: to the content's self-similarity; 0 to about 0.5.
        edges: to the content's edges, 1 less their correlation; 0..2.
        grain: share of the detail that has a period of two pixels, in the content's
            flat areas, beyond what content and style have in their own; 0..1.
        clipped: share of pixels with a channel at 0 or 255, beyond content's and style's; 0..1.
    """

    style: float
    palette: float
    structure: float
    edges: float
    grain: float
    clipped: float


@dataclass(frozen=True)
class Judge:
    """Judges pictures of one content in one style.

    Attributes:
        encoder: what it sees with.
        content: (1, 3, H, W), sRGB 0..1.
        style: (1, 3, h, w), sRGB 0..1, of any size.
        enlarged: how many times the painting's own size that is.
    """

    encoder: Encoder
    content: Tensor
    style: Tensor
    enlarged: float = 1.0

    @torch.inference_mode()
    def __call__(self, picture: Tensor) -> Distances:
        """Judges a picture.

        Args:
            picture: (1, 3, H, W), sRGB 0..1, of the content's size.

        Raises:
            ValueError: a picture of another size.
        """
        if picture.shape != self.content.shape:
            raise ValueError(f"{tuple(picture.shape)}: must be {tuple(self.content.shape)}")
        maps = self._maps(picture)
        style = [feature_distance(maps[name], self._style_maps[name]) for name in STYLE_LAYERS]
        structure = [
            self_similarity_distance(maps[name], self._content_maps[name])
            for name in CONTENT_LAYERS
        ]
        return Distances(
            style=sum(style) / len(style),
            palette=palette_distance(picture, self.style),
            structure=sum(structure) / len(structure),
            edges=edge_distance(picture, self.content),
            grain=grain_excess(picture, self.content, self.style),
            clipped=clipped_excess(picture, self.content, self.style),
        )

    def bands(self, picture: Tensor) -> Bands:
        """The detail of a picture (1, 3, H, W), sRGB 0..1, beside that of the style."""
        return compare_bands(picture, self.style, self.enlarged)

    @cached_property
    def _style_maps(self) -> dict[str, Tensor]:
        return self._maps(self.style)

    @cached_property
    def _content_maps(self) -> dict[str, Tensor]:
        return self._maps(self.content)

    def _maps(self, picture: Tensor) -> dict[str, Tensor]:
        layers = {*STYLE_LAYERS, *CONTENT_LAYERS}
        return self.encoder.forward(picture, layers, keep=False).maps


def feature_distance(features: Tensor, target: Tensor) -> float:
    """Sliced Wasserstein distance of two feature maps as clouds of points.

    Each channel is divided by the target's own standard deviation, so that layers count alike.

    Args:
        features: (1, C, h, w).
        target: (1, C, h', w').
    """
    cloud, goal = as_matrix(features), as_matrix(target)
    deviation = goal.std(0)
    # A channel that hardly ever fires in the style must not outweigh all others.
    deviation = deviation.clamp(min=0.1 * float(deviation.mean()) + 1e-12)
    return sliced_wasserstein(cloud / deviation, goal / deviation)


def palette_distance(picture: Tensor, target: Tensor) -> float:
    """Sliced Wasserstein distance of two pictures' colours in CIE Lab.

    Args:
        picture: (1, 3, H, W), sRGB 0..1.
        target: (1, 3, h, w), sRGB 0..1.
    """
    # A shift by d moves the mean projection by d / 2, as in 3 dimensions mean |cos| = 1/2.
    return 2 * sliced_wasserstein(as_matrix(lab(picture)), as_matrix(lab(target)))


def sliced_wasserstein(cloud: Tensor, goal: Tensor) -> float:
    """Mean Wasserstein-1 distance of two clouds' projections on fixed random directions.

    Sorted projections are compared at the same quantiles, so clouds may differ in size. Source:
    Rabin et al., Wasserstein Barycenter and Its Application to Texture Mixing, 2011.

    Args:
        cloud: (N, C).
        goal: (M, C).
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(cloud.shape[1], _DIRECTIONS, generator=generator)
    directions /= directions.norm(dim=0)
    return float((_quantiles(cloud @ directions) - _quantiles(goal @ directions)).abs().mean())


def _quantiles(values: Tensor) -> Tensor:
    """(N, K) as (512, K): quantiles of each column, interpolated."""
    ordered = values.sort(dim=0).values
    places = (torch.arange(_QUANTILES) + 0.5) / _QUANTILES * (values.shape[0] - 1)
    below = places.floor().long()
    above = (below + 1).clamp(max=values.shape[0] - 1)
    return torch.lerp(ordered[below], ordered[above], (places - below)[:, None])


def self_similarity_distance(features: Tensor, target: Tensor) -> float:
    """Difference of two feature maps' self-similarity.

    Cosine distances between all pairs of positions, of a fixed grid, each column divided by its
    mean; the mean absolute difference. Source: Kolkin, Salavon, Shakhnarovich: Style Transfer by
    Relaxed Optimal Transport and Self-Similarity, 2019, eq. 7. Two things differ: columns are
    divided by their mean and not by their sum, so that the value does not depend on the number of
    positions; and the mean feature is taken off first, without which even a picture of something
    else seems half alike, as features after a ReLU are all positive.

    Args:
        features: (1, C, h, w).
        target: (1, C, h, w).
    """
    return float((_self_similarity(features) - _self_similarity(target)).abs().mean())


def _self_similarity(features: Tensor) -> Tensor:
    points = as_matrix(functional.interpolate(features, (_GRID, _GRID), mode="bilinear"))
    points = functional.normalize(points - points.mean(0), dim=1)
    apart = 1 - points @ points.T
    return apart / apart.mean(0)


def edge_distance(picture: Tensor, target: Tensor) -> float:
    """1 less the correlation of the strengths of two pictures' edges.

    Both (1, 3, H, W), sRGB 0..1. Edges are taken after a blur of 1 % of the long side, so that
    strokes do not count, but what they draw.
    """
    first, second = (_edges(x).flatten().double() for x in (picture, target))
    first, second = (x - x.mean() for x in (first, second))
    norms = float(first.norm() * second.norm())
    if norms < 1e-9:  # one of them is flat
        return float(bool((first - second).abs().max() > 1e-6))
    return max(0.0, 1 - float(first @ second) / norms)


def _edges(picture: Tensor) -> Tensor:
    """(1, 1, H, W): length of the luminance's gradient after a blur."""
    blurred = blur(_luminance(picture), max(1.0, 0.01 * max(picture.shape[2:])))
    wide = functional.pad(blurred, (1, 1, 1, 1), mode="replicate")
    across = wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]
    down = wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]
    return torch.hypot(across, down)


def grain_excess(picture: Tensor, content: Tensor, style: Tensor) -> float:
    """How much more checks, lines of one pixel and speckles a picture has than its sources.

    Args:
        picture: (1, 3, H, W), sRGB 0..1; looked at where the content is flat.
        content: (1, 3, H, W), sRGB 0..1.
        style: (1, 3, h, w), sRGB 0..1; looked at where it is flat itself.
    """
    where = flat(content)
    allowed = max(_grain(content, where), _grain(style, flat(style)))
    return max(0.0, _grain(picture, where) - allowed)


def _grain(picture: Tensor, where: Tensor) -> float:
    """Share of the detail's energy that lies in patterns with a period of two pixels, in Lab."""
    planes = lab(picture).transpose(0, 1)  # colours can have checks where lightness has none
    wide = functional.pad(planes, (1, 1, 1, 1), mode="replicate")
    finest = functional.conv2d(wide, _nyquist_kernels()).square().sum((0, 1))
    detail = (planes - blur(planes, 2.0)).square().sum((0, 1))
    # Detail below half a unit of Lab cannot be seen, and may be rounding.
    return float(finest[where].mean()) / (float(detail[where].mean()) + 0.25)


def _nyquist_kernels() -> Tensor:
    """(3, 1, 3, 3): alternating rows, columns and checks of amplitude 1 answer with +-1."""
    alternating, smooth = torch.tensor([-1.0, 2.0, -1.0]) / 4, torch.tensor([1.0, 2.0, 1.0]) / 4
    pairs = ((alternating, smooth), (smooth, alternating), (alternating, alternating))
    return torch.stack([torch.outer(*pair) for pair in pairs])[:, None]


def flat(picture: Tensor) -> Tensor:
    """(H, W), bool: the flattest two fifths of a picture."""
    edges = _edges(picture)[0, 0]
    count = max(1, round(_FLAT_SHARE * edges.numel()))
    return edges <= edges.flatten().kthvalue(count).values


def clipped_excess(picture: Tensor, content: Tensor, style: Tensor) -> float:
    """How much more of a picture is clipped than of either source; all (1, 3, H, W)."""
    return max(0.0, _clipped(picture) - max(_clipped(content), _clipped(style)))


def _clipped(picture: Tensor) -> float:
    """Share of the pixels of (1, 3, H, W) with a channel that is 0 or 255 in 8 bits."""
    ends = (picture <= 0.5 / 255) | (picture >= 1 - 0.5 / 255)
    return float(ends.any(dim=1).float().mean())


def lab(picture: Tensor) -> Tensor:
    """CIE Lab (L 0..100; white D65) of sRGB 0..1, (1, 3, H, W). Source: IEC 61966-2-1, CIE 15."""
    linear = torch.where(
        picture <= 0.04045, picture / 12.92, ((picture.clamp(min=0) + 0.055) / 1.055) ** 2.4
    )
    white = torch.tensor(_LAB_WHITE).view(1, 3, 1, 1)
    xyz = torch.einsum("ij,njhw->nihw", torch.tensor(_XYZ), linear) / white
    root = torch.where(
        xyz > (6 / 29) ** 3, xyz.clamp(min=1e-6) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29
    )
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def _luminance(picture: Tensor) -> Tensor:
    """(1, 1, H, W): Rec. 709 weights on sRGB values, 0..1."""
    weights = torch.tensor(_XYZ[1]).view(1, 3, 1, 1)
    return (picture * weights).sum(1, keepdim=True)


def blur(planes: Tensor, deviation: float) -> Tensor:
    """(N, 1, H, W) after a Gaussian of so many pixels; the edge is repeated."""
    reach = int(3 * deviation + 0.5)
    places = torch.arange(-reach, reach + 1, dtype=planes.dtype, device=planes.device)
    kernel = torch.exp(-0.5 * (places / deviation) ** 2)
    kernel /= kernel.sum()
    wide = functional.pad(planes, (reach, reach, reach, reach), mode="replicate")
    return functional.conv2d(
        functional.conv2d(wide, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1)
    )

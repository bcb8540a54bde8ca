"""The network that paints at once: convolutions, steered at every layer by a style.

The way of a picture: down to a quarter of its side, five residual blocks there, and up again. A
second way branches off at the quarter, goes down to a sixteenth, where few positions see
everything, and comes back coarse to fine. All that depends on the style is a gain and a bias for
each channel of each layer, its film, so a style is a few thousand numbers, and two styles are
blended by blending them.

Sources: Johnson, Alahi, Fei-Fei, Perceptual Losses for Real-Time Style Transfer, 2016 (a network
trained for what the optimisation minimises); Dumoulin, Shlens, Kudlur, A Learned Representation for
Artistic Style, 2017 (gain and bias by style after instance normalisation); Ghiasi et al., Exploring
the Structure of a Real-Time, Arbitrary Neural Artistic Stylization Network, 2017 (the first way,
half of whose channels come from a network of theirs); Ronneberger, Fischer, Brox, U-Net, 2015 (the
second way); Karras et al., Alias-Free Generative Adversarial Networks, 2021 (smooth enlarging: a
network that repeats values paints by the cells that it repeats them in, which is a lattice in plain
places). No way goes past the quarter: a network that can hand on the photograph's own pixels
colours it, and learns no strokes (docs/decisions/0024-at-once.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

WIDTHS = (16, 32, 64, 128, 160)
"""Channels at a picture's own size, at half of it, and so on to a sixteenth."""

BLOCKS = (0, 0, 5, 1, 2)
"""Residual blocks at each of these sizes, on the way up."""

QUARTER = 2
"""Index of the size at which the second way branches off."""

STRIDE = 2 ** (len(WIDTHS) - 1)
"""Sides of what goes through the network are multiples of this."""

NOISE_CHANNELS = 16
NOISE_SIDE = 32

SMOOTHING = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""What an enlarged map is smoothed with, down and across: values that are repeated have steps at
the borders of cells, and a convolution that sees those paints every cell alike."""

EPSILON = 1e-5
"""What is added to a variance that is divided by."""

Kind = Literal["down", "first", "second", "join", "up", "out"]


@dataclass(frozen=True)
class Site:
    """A convolution and what follows it.

    Attributes:
        name: of its kernel.
        inputs: channels.
        outputs: channels.
        size: of the kernel's sides.
        stride: 1 or 2.
        normalised: whether each channel is brought to mean 0 and deviation 1 over the picture.
        level: index into `WIDTHS` of the size of what comes out of it.
        kind: ``down`` (then ReLU); ``first`` (then ReLU) and ``second`` (then the block's input is
            added) of a residual block; ``join`` (of what was enlarged; then what came down at this
            size is added); ``up`` (of what was enlarged and smoothed; then ReLU); ``out`` (then
            the sigmoid).
    """

    name: str
    inputs: int
    outputs: int
    size: int
    stride: int
    normalised: bool
    level: int
    kind: Kind

    @property
    def enlarges(self) -> bool:
        """Whether what comes in is enlarged to twice its sides first."""
        return self.kind in ("join", "up")

    @property
    def smooths(self) -> bool:
        """Whether what was enlarged is smoothed, by `SMOOTHING`."""
        return self.kind == "up"

    @property
    def border(self) -> int:
        """Positions beyond each edge that it sees."""
        return self.size // 2 + (len(SMOOTHING) // 2 if self.smooths else 0)


def sites() -> tuple[Site, ...]:
    """All convolutions in order."""
    found = [Site("down0", 3, WIDTHS[0], 9, 1, False, 0, "down")]
    for level in range(1, len(WIDTHS)):
        before, own = WIDTHS[level - 1], WIDTHS[level]
        found.append(Site(f"down{level}", before, own, 3, 2, level > QUARTER, level, "down"))
    for level in range(len(WIDTHS) - 1, -1, -1):
        own = WIDTHS[level]
        if level < len(WIDTHS) - 1:
            kind: Kind = "join" if level >= QUARTER else "up"
            found.append(Site(f"up{level}", WIDTHS[level + 1], own, 3, 1, True, level, kind))
        for block in range(BLOCKS[level]):
            name = f"block{level}_{block}"
            found.append(Site(f"{name}_first", own, own, 3, 1, True, level, "first"))
            found.append(Site(f"{name}_second", own, own, 3, 1, True, level, "second"))
    return (*found, Site("out", WIDTHS[0], 3, 9, 1, True, 0, "out"))


SITES = sites()
FILM_SIZE = sum(2 * site.outputs for site in SITES)
"""Numbers that steer the network: the gains, less 1, and the biases of each site in turn."""


def noise_tile() -> Tensor:
    """(1, NOISE_CHANNELS, NOISE_SIDE, NOISE_SIDE): fixed white noise, normal; repeated to any size.

    Something has to differ from place to place where the photograph is plain, or every stroke there
    would be the same.
    """
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, NOISE_CHANNELS, NOISE_SIDE, NOISE_SIDE, generator=generator)


def kernel_shapes() -> dict[str, tuple[int, ...]]:
    """The shapes of all kernels, by name: of each site, and of the noise that two of them add."""
    shapes: dict[str, tuple[int, ...]] = {
        site.name: (site.outputs, site.inputs, site.size, site.size) for site in SITES
    }
    for level in range(QUARTER + 1, len(WIDTHS)):
        shapes[f"noise{level}"] = (WIDTHS[level], NOISE_CHANNELS, 1, 1)
    return shapes


def initial_kernels(seed: int = 0) -> dict[str, Tensor]:
    """Random kernels, by name; see `kernel_shapes`."""
    generator = torch.Generator().manual_seed(seed)
    kernels = {}
    for name, shape in kernel_shapes().items():
        scale = 0.1 if name.startswith("noise") else (2 / math.prod(shape[1:])) ** 0.5
        kernels[name] = torch.randn(shape, generator=generator) * scale
    return kernels


def forward(
    kernels: Mapping[str, Tensor], film: Tensor, picture: Tensor, *, periodic: bool = False
) -> Tensor:
    """Paints.

    Args:
        kernels: of `initial_kernels`' names, in the number format to compute in.
        film: (FILM_SIZE,), float32: for each site its gains less 1, then its biases.
        picture: (1, 3, H, W), sRGB 0..1; H and W multiples of `STRIDE`.
        periodic: whether the picture repeats, so that beyond its border lies its opposite edge.

    Returns:
        (1, 3, H, W), float32, 0..1.
    """
    dtype = kernels["out"].dtype
    x = picture.to(dtype).contiguous(memory_format=torch.channels_last)
    came_down: list[Tensor] = []
    trunk, start = x, 0
    for site in SITES:
        gain = film[start : start + site.outputs] + 1
        bias = film[start + site.outputs : start + 2 * site.outputs]
        start += 2 * site.outputs
        if site.kind == "first":
            trunk = x
        if site.enlarges:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        x = _convolved(x, kernels[site.name], site, periodic=periodic)
        if site.kind == "down" and f"noise{site.level}" in kernels:
            x = x + noise(kernels[f"noise{site.level}"], x.shape[2], x.shape[3])
        x = _steered(x, gain, bias, normalised=site.normalised)
        match site.kind:
            case "second":
                x = x + trunk
            case "join":
                x = x + came_down[site.level]
            case "down" | "first" | "up":
                x = x.relu()
        if site.kind == "down":
            came_down.append(x)
    return x.float().sigmoid()


def _convolved(x: Tensor, kernel: Tensor, site: Site, *, periodic: bool) -> Tensor:
    x = functional.pad(x, (site.border,) * 4, mode="circular" if periodic else "replicate")
    if site.smooths:
        x = functional.conv2d(x, smoothing_kernel(site).to(x), groups=site.inputs)
    return functional.conv2d(x, kernel, stride=site.stride)


def smoothing_kernel(site: Site) -> Tensor:
    """(C, 1, n, n): `SMOOTHING` for a map of so many channels as a site sees, each for itself."""
    line = torch.tensor(SMOOTHING)
    return torch.outer(line, line).repeat(site.inputs, 1, 1, 1)


def noise(kernel: Tensor, height: int, width: int) -> Tensor:
    """(1, C, height, width): what a level adds, by its kernel for the channels of `noise_tile`."""
    tile = functional.conv2d(noise_tile().to(kernel), kernel)
    down, across = -(-height // NOISE_SIDE), -(-width // NOISE_SIDE)
    return tile.repeat(1, 1, down, across)[:, :, :height, :width]


def _steered(x: Tensor, gain: Tensor, bias: Tensor, *, normalised: bool) -> Tensor:
    """Gain and bias, after instance normalisation if asked: batch normalisation of a batch of one.

    A channel that is not normalised keeps how strong it is: a plain sky's noise stays faint.
    """
    if normalised:
        return functional.batch_norm(x, None, None, gain, bias, training=True, eps=EPSILON)
    return x * gain.to(x.dtype)[:, None, None] + bias.to(x.dtype)[:, None, None]

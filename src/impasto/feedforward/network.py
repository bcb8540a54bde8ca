"""The network that paints at once: a U of convolutions, steered at every layer by a style.

It goes down to a sixteenth of the picture's side, where few positions see everything, and comes up
again, coarse to fine. All that depends on the style is a gain and a bias for each channel of each
layer, its film, so a style is a few thousand numbers, and two styles are blended by blending them.

Sources: Johnson, Alahi, Fei-Fei, Perceptual Losses for Real-Time Style Transfer, 2016 (a network
trained for what the optimisation minimises); Dumoulin, Shlens, Kudlur, A Learned Representation for
Artistic Style, 2017 (gain and bias by style after instance normalisation); Ronneberger, Fischer,
Brox, U-Net, 2015 (what the finer levels saw on the way down comes back on the way up).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

WIDTHS = (16, 48, 96, 128, 160)
"""Channels at a picture's own size, at half of it, and so on to a sixteenth."""

BLOCKS = (0, 1, 2, 2, 3)
"""Residual blocks at each of these sizes, on the way up."""

STRIDE = 2 ** (len(WIDTHS) - 1)
"""Sides of what goes through the network are multiples of this."""

NOISE_CHANNELS = 16
NOISE_SIDE = 32


@dataclass(frozen=True)
class Site:
    """A convolution and what follows it.

    Attributes:
        name: of its kernel.
        inputs: channels.
        outputs: channels.
        stride: 1 or 2.
        level: index into `WIDTHS` of the size of what comes out of the convolution.
        kind: ``down``, ``side`` (on the same size), ``up`` (its result is enlarged and what the way
            down had there is added), ``first`` or ``second`` (of a residual block).
    """

    name: str
    inputs: int
    outputs: int
    stride: int
    level: int
    kind: str


def sites() -> tuple[Site, ...]:
    """All convolutions but the last one, in order."""
    found = [Site("down0", 3, WIDTHS[0], 1, 0, "down")]
    for level in range(1, len(WIDTHS)):
        found.append(Site(f"down{level}", WIDTHS[level - 1], WIDTHS[level], 2, level, "down"))
    for level in range(len(WIDTHS) - 1, -1, -1):
        width = WIDTHS[level]
        for block in range(BLOCKS[level]):
            for part in ("first", "second"):
                found.append(Site(f"block{level}_{block}_{part}", width, width, 1, level, part))
        if level:
            found.append(Site(f"up{level - 1}", width, WIDTHS[level - 1], 1, level, "up"))
    return (*found, Site("last", WIDTHS[0], WIDTHS[0], 1, 0, "side"))


SITES = sites()
FILM_SIZE = sum(2 * site.outputs for site in SITES)
"""Numbers that steer the network: a gain and a bias for each channel of each site."""


def noise_tile() -> Tensor:
    """(1, NOISE_CHANNELS, NOISE_SIDE, NOISE_SIDE): fixed white noise, normal; repeated to any size.

    Something has to differ from place to place where the photograph is plain, or every stroke there
    would be the same.
    """
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, NOISE_CHANNELS, NOISE_SIDE, NOISE_SIDE, generator=generator)


def initial_kernels(seed: int = 0) -> dict[str, Tensor]:
    """Kernels and biases with which a base network begins its training."""
    generator = torch.Generator().manual_seed(seed)
    kernels = {}
    for site in SITES:
        scale = (2 / (9 * site.inputs)) ** 0.5
        shape = (site.outputs, site.inputs, 3, 3)
        kernels[site.name] = torch.randn(shape, generator=generator) * scale
    kernels["out"] = torch.randn(3, WIDTHS[0], 3, 3, generator=generator) * (1 / (9 * 16)) ** 0.5
    kernels["out_bias"] = torch.zeros(3)
    for level in (3, 4):
        kernels[f"noise{level}"] = (
            torch.randn(WIDTHS[level], NOISE_CHANNELS, 1, 1, generator=generator) * 0.1
        )
    return kernels


def forward(kernels: Mapping[str, Tensor], film: Tensor, picture: Tensor) -> Tensor:
    """Paints.

    Args:
        kernels: of `initial_kernels`' names, in the number format to compute in.
        film: (FILM_SIZE,), float32: for each site its gains less 1, then its biases.
        picture: (1, 3, H, W), sRGB 0..1; H and W multiples of `STRIDE`.

    Returns:
        (1, 3, H, W), float32, 0..1.
    """
    dtype = kernels["out"].dtype
    x = (picture - 0.5).to(dtype).contiguous(memory_format=torch.channels_last) * 2
    skips: list[Tensor] = []
    start = 0
    trunk = x
    for site in SITES:
        gain = film[start : start + site.outputs] + 1
        bias = film[start + site.outputs : start + 2 * site.outputs]
        start += 2 * site.outputs
        if site.kind == "first":
            trunk = x
        x = _convolved(x, kernels[site.name], site.stride)
        if site.kind == "up":
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest") + skips[site.level - 1]
        if site.kind == "down" and f"noise{site.level}" in kernels:
            x = x + _noise(kernels[f"noise{site.level}"], x.shape[2], x.shape[3])
        x = _normalised(x, gain, bias)
        x = x + trunk if site.kind == "second" else x.relu()
        if site.kind == "down":
            skips.append(x)
    logits = _convolved(x, kernels["out"], 1).float() + kernels["out_bias"].float()[:, None, None]
    return logits.sigmoid()


def _convolved(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(x, kernel, stride=stride)


def _noise(kernel: Tensor, height: int, width: int) -> Tensor:
    tile = functional.conv2d(noise_tile().to(kernel), kernel)
    down, across = -(-height // NOISE_SIDE), -(-width // NOISE_SIDE)
    return tile.repeat(1, 1, down, across)[:, :, :height, :width]


def _normalised(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """Instance normalisation with gain and bias: batch normalisation of a batch of one."""
    return functional.batch_norm(x, None, None, gain, bias, training=True, eps=1e-3)

"""`network.forward` for processors, without gradients: the same picture in less time.

The convolutions are small, so what lies between them counts, and the maps are passed over as seldom
as can be. What follows a convolution is written into a map that has the next one's border already;
what is enlarged gets its border by the same copy; gain and bias of sites that are not normalised
are multiplied into their kernels; the rest happens in place.

A 9x9 convolution to or from 3 channels leaves most lanes of a processor idle. Four neighbouring
pixels are taken together as channels: of a channels-last map that is but another view, and the
kernel becomes one of 9x3 with four times as many channels on both sides. In float32, wide
convolutions are done by Winograd's algorithm (`impasto.network.winograd`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakIdKeyDictionary

from impasto.feedforward.network import EPSILON, SITES, Site, noise, smoothing_kernel
from impasto.network import winograd

_TOGETHER = 4
"""Neighbouring pixels that a 9x9 convolution takes as one. Widths and its border's two sides are
multiples of it."""

_FEWEST_CHANNELS = 32
"""On both sides of a convolution: from here on Winograd's algorithm is faster."""

_transformed = WeakIdKeyDictionary()
"""Kernels as `winograd.convolve` takes them, for as long as the kernels themselves are there."""


def infer(
    kernels: Mapping[str, Tensor], film: Tensor, picture: Tensor, *, periodic: bool = False
) -> Tensor:
    """Paints; arguments and result are those of `network.forward`, on a processor."""
    films = torch.split(film.detach(), [site.outputs for site in SITES for _ in range(2)])
    came_down: dict[int, Tensor] = {}
    with torch.no_grad():
        x = trunk = _framed(picture.to(kernels["out"].dtype), SITES[0].size // 2, periodic)
        for number, site in enumerate(SITES):
            if site.enlarges:
                x = _enlarged(x, site, periodic)
            elif site.kind == "first":
                trunk = _inner(x, 1)
            y = _steered(x, kernels, site, films[2 * number] + 1, films[2 * number + 1])
            if site.kind == "out":
                break
            following = SITES[number + 1]
            around = 0 if following.enlarges else following.border
            x = _map_of(y, around)
            if site.kind == "second":
                torch.add(y, trunk, out=_inner(x, around))
            elif site.kind == "join":
                torch.add(y, came_down.pop(site.level), out=_inner(x, around))
            else:
                torch.clamp_min(y, 0, out=_inner(x, around))
            _fill_border(x, around, periodic)
            if site.kind == "down" and site.level in _JOINED:
                came_down[site.level] = _inner(x, around)
        return y.float().sigmoid_()


_JOINED = {site.level for site in SITES if site.kind == "join"}


def _steered(
    x: Tensor, kernels: Mapping[str, Tensor], site: Site, gain: Tensor, bias: Tensor
) -> Tensor:
    """A site's convolution, noise, normalisation, gain and bias, of a map with its border."""
    kernel = kernels[site.name]
    if not site.normalised:
        steered = (kernel * gain[:, None, None, None]).to(kernel.dtype)
        return _convolved(x, steered, site, bias.to(kernel.dtype))
    y = _convolved(x, kernel, site, None)
    own_noise = kernels.get(f"noise{site.level}") if site.kind == "down" else None
    if own_noise is not None:
        y.add_(noise(own_noise, *y.shape[2:]))
    of_channels = (gain.new_empty(len(gain)), gain.new_empty(len(gain)))
    torch.native_batch_norm(  # in place: the sums are known before the first value is written
        y, gain, bias, None, None, True, 0.0, EPSILON, out=(y, *of_channels)
    )
    return y


def _convolved(x: Tensor, kernel: Tensor, site: Site, bias: Tensor | None) -> Tensor:
    if site.size == 9:
        return _convolved_together(x, kernel, bias)
    wide = min(site.inputs, site.outputs) >= _FEWEST_CHANNELS and site.stride == 1
    if wide and kernel.dtype == torch.float32:
        if kernel not in _transformed:
            _transformed[kernel] = winograd.transformed(kernel)
        plain = kernel.new_zeros(site.outputs) if bias is None else bias
        return winograd.convolve(x, _transformed[kernel], plain)
    return functional.conv2d(x, kernel, bias, stride=site.stride)


def _convolved_together(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """A 9x9 convolution that takes `_TOGETHER` neighbouring pixels as channels of one."""
    outputs, inputs, size, _ = kernel.shape
    groups = (size + _TOGETHER - 1) // _TOGETHER
    wide = kernel.new_zeros(_TOGETHER, outputs, groups * _TOGETHER, inputs, size)
    for place in range(_TOGETHER):
        wide[place, :, place : place + size] = kernel.permute(0, 3, 1, 2)
    wide = wide.view(_TOGETHER * outputs, groups, _TOGETHER * inputs, size).permute(0, 2, 3, 1)
    height, width = x.shape[2:]
    lines = x.permute(0, 2, 3, 1).reshape(1, height, width // _TOGETHER, _TOGETHER * inputs)
    many = None if bias is None else bias.repeat(_TOGETHER)
    y = functional.conv2d(lines.permute(0, 3, 1, 2), wide, many)
    height, width = y.shape[2], y.shape[3] * _TOGETHER
    return y.permute(0, 2, 3, 1).reshape(1, height, width, outputs).permute(0, 3, 1, 2)


def _framed(picture: Tensor, around: int, periodic: bool) -> Tensor:
    x = functional.pad(picture, (around,) * 4, mode="circular" if periodic else "replicate")
    return x.contiguous(memory_format=torch.channels_last)


def _map_of(y: Tensor, around: int) -> Tensor:
    """A map for what comes of ``y``, with room for a border; without one, ``y`` itself."""
    if not around:
        return y
    height, width = y.shape[2] + 2 * around, y.shape[3] + 2 * around
    size = (1, y.shape[1], height, width)
    return torch.empty(size, dtype=y.dtype, memory_format=torch.channels_last)


def _inner(x: Tensor, around: int) -> Tensor:
    """The view of a map without its border."""
    height, width = x.shape[2:]
    return x[:, :, around : height - around, around : width - around]


def _fill_border(x: Tensor, around: int, periodic: bool) -> None:
    """Writes what lies beyond the border: its edge, or its opposite edge."""
    if not around:
        return
    for lines in (x[..., around:-around].transpose(2, 3), x):
        if periodic:
            before, behind = lines[..., -2 * around : -around], lines[..., around : 2 * around]
        else:
            before, behind = lines[..., around : around + 1], lines[..., -around - 1 : -around]
        lines[..., :around] = before
        lines[..., -around:] = behind


def _enlarged(x: Tensor, site: Site, periodic: bool) -> Tensor:
    """(1, C, h, w) to twice its sides and a border: each value four times, smoothed if asked."""
    rows, columns = (_doubled(length, site.border, periodic) for length in x.shape[2:])
    lines = x[0].permute(1, 2, 0).index_select(1, columns)
    enlarged = lines.flatten(1).index_select(0, rows)
    found = enlarged.view(1, len(rows), len(columns), -1).permute(0, 3, 1, 2)
    if not site.smooths:
        return found
    return functional.conv2d(found, smoothing_kernel(site).to(found), groups=site.inputs)


def _doubled(length: int, around: int, periodic: bool) -> Tensor:
    """(2 (length + around),): which of a line's positions stands where in the enlarged one."""
    places = torch.arange(-around, 2 * length + around)
    inside = places % (2 * length) if periodic else places.clamp_(0, 2 * length - 1)
    return inside.div_(2, rounding_mode="floor")

"""One 3x3 convolution of the network, forward and back, by the fastest way that its place allows.

=====================  ===========================================================
float32 on processors  Winograd's algorithm for all but the first and small maps
bfloat16 on processors oneDNN, weights laid out once, bias and ReLU in the same pass
everything else        the library that PyTorch calls (cuDNN, MPS)
=====================  ===========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from impasto.machine import onednn
from impasto.network import winograd

Border = Literal["replicate", "zeros", "circular"]
"""What lies beyond the border of a map: its edge, zeros, or its opposite edge (it repeats)."""

_LARGE, _WIDE = 4096, 256
"""Positions from which on oneDNN gains by computing a rim apart, and the output channels that it
takes for that on the way there (docs/decisions/0006-engine.md)."""


@dataclass(frozen=True)
class Convolution:
    """A 3x3 convolution that keeps the size of its input.

    Attributes:
        kernel: gives (out, in, 3, 3), for cross-correlation. Asked for each form that is made of
            it, and not kept.
        bias: (out,), of the kernel's number format, on the same device.
        inputs: input channels.
    """

    kernel: Callable[[], Tensor]
    bias: Tensor
    inputs: int

    def forward(self, x: Tensor, border: Border, *, relu: bool) -> Tensor:
        """(1, in, h, w) to (1, out, h, w), channels-last, with the bias and, if asked, the ReLU."""
        large = x[0, 0].numel() >= _LARGE and len(self.bias) >= _WIDE
        then = "relu" if relu else "none"
        if border != "zeros" and large and self._packed:
            return self._with_rim(x, border, then)
        around = 1
        if border == "replicate":
            x, around = functional.pad(x, (1, 1, 1, 1), mode="replicate"), 0
        elif border == "circular":
            x, around = _wrapped(x), 0
        if self._by_winograd(x.shape[2] - 2 + 2 * around, x.shape[3] - 2 + 2 * around):
            padded = functional.pad(x, (1, 1, 1, 1)) if around else x
            y = winograd.convolve(padded, self._transformed, self.bias)
        elif self._packed:
            return onednn.convolve(x, self._packed.there, self.bias, around, then)
        else:
            y = functional.conv2d(x, self._laid_out, self.bias, padding=around)
        return y.relu_() if relu else y

    def back(self, gradient: Tensor, border: Border) -> Tensor:
        """Gradient at the input (1, in, h, w), from that at the output before the ReLU."""
        if self._by_winograd(*gradient.shape[2:]):
            return _folded(winograd.convolve_back(gradient, self._transformed), border)
        if not self._packed:
            if border == "zeros":
                return functional.conv2d(gradient, self._flipped, padding=1)
            return _folded(functional.conv2d(gradient, self._flipped, padding=2), border)
        if border != "zeros" and gradient[0, 0].numel() < _LARGE:
            rim = onednn.convolve(gradient, self._packed.back, None, 2, "none")
            return _folded(rim, border)
        inner = onednn.convolve(gradient, self._packed.back, None, 1, "none")
        if border != "zeros":
            self._add_rim(inner, gradient, border)
        return inner

    def _with_rim(self, x: Tensor, border: Border, then: str) -> Tensor:
        """As `forward`, with zeros around the map; what lies at its rim is computed once more.

        A copy of the map with a rim around it costs time, and oneDNN takes twice to three times as
        long for some of the widths that come of it.
        """
        assert self._packed is not None
        y = onednn.convolve(x, self._packed.there, self.bias, 1, then)
        for into, strips in zip((y, y.transpose(2, 3)), _strips(x, border), strict=True):
            ends = onednn.convolve(strips, self._packed.there, self.bias, 0, then)
            into[0, :, 0], into[0, :, -1] = ends.view(2, len(self.bias), -1)
        return y

    def _add_rim(self, inner: Tensor, gradient: Tensor, border: Border) -> None:
        """Adds to ``inner`` what its rim, one row or column on each side, has to give back.

        The rim is computed apart from the inner part, which is without gaps then and as wide as
        the maps that oneDNN is fastest with.
        """
        lines, into = gradient[0].permute(1, 2, 0), inner[0].permute(1, 2, 0)
        across, down = self._kernel_ends
        rows = torch.bmm(_triples(_ends(lines)), across)
        columns = torch.bmm(_triples(_ends(lines.transpose(0, 1))), down)
        if border == "circular":
            rows, columns = rows.flip(0, 1), columns.flip(0)
        beside = columns[:, 1:-1]
        beside[:, 0] += rows[0, :: rows.shape[1] - 1]  # the corners
        beside[:, -1] += rows[1, :: rows.shape[1] - 1]
        if border == "circular":
            rows = rows.flip(1)
        _add_ends(into, rows[:, 1:-1])
        _add_ends(into.transpose(0, 1), beside)

    def _by_winograd(self, height: int, width: int) -> bool:
        plain = self.bias.dtype == torch.float32 and self.bias.device.type == "cpu"
        return plain and winograd.pays(self.inputs, len(self.bias), height, width)

    @cached_property
    def _packed(self) -> _Packed | None:
        """For PyTorch's entrance to oneDNN, where that is there and works."""
        if self.bias.dtype != torch.bfloat16 or self.bias.device.type != "cpu":
            return None
        return _Packed.of(self.kernel(), self.bias)

    @cached_property
    def _transformed(self) -> Tensor:
        return winograd.transformed(self.kernel())

    @cached_property
    def _laid_out(self) -> Tensor:
        return self.kernel().contiguous(memory_format=torch.channels_last)

    @cached_property
    def _flipped(self) -> Tensor:
        return _flipped(self.kernel())

    @cached_property
    def _kernel_ends(self) -> tuple[Tensor, Tensor]:
        """What of the flipped kernel reaches the rim: (2, 3 out, in) for its rows, and columns.

        The first and the last row above and below, the first and the last column beside.
        """
        kernel = self.kernel()
        across = torch.stack((kernel[:, :, 0], kernel[:, :, 2])).flip(3)
        down = torch.stack((kernel[..., 0], kernel[..., 2])).flip(3)
        ends = (part.permute(0, 3, 1, 2).flatten(1, 2).contiguous() for part in (across, down))
        first, second = ends
        return first, second


@dataclass(frozen=True)
class _Packed:
    """A kernel laid out for oneDNN, for both ways."""

    there: Tensor
    back: Tensor

    @classmethod
    def of(cls, kernel: Tensor, bias: Tensor) -> _Packed | None:
        """None where a trial with small maps fails."""
        flipped = _flipped(kernel)
        x, y = (
            torch.linspace(-1, 1, 16 * channels).to(kernel.dtype).view(1, 4, 4, channels)
            for channels in (kernel.shape[1], len(kernel))
        )
        x, y = x.permute(0, 3, 1, 2), y.permute(0, 3, 1, 2)
        wanted = functional.conv2d(x, kernel, bias, padding=1).relu_().float()
        wanted_back = functional.conv2d(y, flipped, padding=1).float()
        try:
            found = cls(onednn.packed(kernel), onednn.packed(flipped))
        except onednn.FAILURES:
            return None
        works = onednn.works(lambda: onednn.convolve(x, found.there, bias, 1, "relu"), wanted)
        works &= onednn.works(lambda: onednn.convolve(y, found.back, None, 1, "none"), wanted_back)
        return found if works else None


def _flipped(kernel: Tensor) -> Tensor:
    """(in, out, 3, 3): the kernel of the way back."""
    return kernel.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)


def _strips(x: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """What the outermost rows and columns of a convolution see of (1, C, h, w) and its rim.

    (2, C, 3, w + 2) for the first row and the last, (2, C, h + 2, 3) for the columns.
    """
    lines = x[0].permute(1, 2, 0)
    rows, columns = (_around(length, border, x.device) for length in lines.shape[:2])
    across = lines[torch.cat((rows[:3], rows[-3:]))][:, columns]
    down = lines[:, torch.cat((columns[:3], columns[-3:]))][rows]
    first, second = across.view(2, 3, *across.shape[1:]), down.view(len(down), 2, 3, -1)
    return (
        first.permute(0, 3, 1, 2),
        second.permute(1, 3, 0, 2).contiguous(memory_format=torch.channels_last),
    )


def _around(length: int, border: Border, device: torch.device) -> Tensor:
    """(length + 2,): where the positions of a line lie that has one more at each end."""
    positions = torch.arange(-1, length + 1, device=device)
    return positions.clamp_(0, length - 1) if border == "replicate" else positions % length


def _wrapped(x: Tensor) -> Tensor:
    """(1, C, h, w) with a rim of its opposite edges: (1, C, h + 2, w + 2), channels-last."""
    # Not functional.pad, whose circular mode leaves the channels-last order.
    size = (1, x.shape[1], x.shape[2] + 2, x.shape[3] + 2)
    y = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    y[:, :, 1:-1, 1:-1] = x
    y[:, :, 0], y[:, :, -1] = y[:, :, -2], y[:, :, 1]
    y[..., 0], y[..., -1] = y[..., -2], y[..., 1]
    return y


def _folded(rim: Tensor, border: Border) -> Tensor:
    """A gradient with a rim around it, each part of which goes back to where it was copied from."""
    if border != "zeros":
        first, last = (1, -2) if border == "replicate" else (-2, 1)
        rim[:, :, first] += rim[:, :, 0]
        rim[:, :, last] += rim[:, :, -1]
        rim[..., first] += rim[..., 0]
        rim[..., last] += rim[..., -1]
    return rim[:, :, 1:-1, 1:-1]


def _ends(lines: Tensor) -> Tensor:
    """The first and the last of (n, m, C) lines: (2, m, C); the same where there is one."""
    return lines[:: len(lines) - 1] if len(lines) > 1 else lines.expand(2, -1, -1)


def _add_ends(lines: Tensor, ends: Tensor) -> None:
    """Adds (2, m, C) to the first and the last line."""
    if len(lines) > 1:
        lines[:: len(lines) - 1] += ends
    else:
        lines += ends.sum(0)


def _triples(lines: Tensor) -> Tensor:
    """Every three neighbours of (2, n, C), with two zeros at each end: (2, n + 2, 3 C), a view."""
    padded = functional.pad(lines, (0, 0, 2, 2))
    length, channels = padded.shape[1:]
    return padded.as_strided((2, length - 2, 3 * channels), (length * channels, channels, 1))

"""One 3x3 convolution of the network, forward and back, by the fastest way that its place allows.

=====================  ===========================================================
float32 on processors  Winograd's algorithm for all but the first and small maps
bfloat16 on processors oneDNN, weights laid out once, bias and ReLU in the same pass
everything else        the library that PyTorch calls (cuDNN, MPS)
=====================  ===========================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from impasto import winograd

Border = Literal["replicate", "zeros", "circular"]
"""What lies beyond the border of a map: its edge, zeros, or its opposite edge (it repeats)."""


@dataclass(frozen=True)
class Convolution:
    """A 3x3 convolution that keeps the size of its input.

    Attributes:
        name: such as ``conv4_2``.
        kernel: (out, in, 3, 3), for cross-correlation.
        bias: (out,).
    """

    name: str
    kernel: Tensor
    bias: Tensor

    @property
    def relu_name(self) -> str:
        """The layer after this one's ReLU."""
        return self.name.replace("conv", "relu")

    def forward(self, x: Tensor, border: Border, *, relu: bool) -> Tensor:
        """(1, in, h, w) to (1, out, h, w), channels-last, with the bias and, if asked, the ReLU."""
        around = 1
        if border == "replicate":
            x, around = functional.pad(x, (1, 1, 1, 1), mode="replicate"), 0
        elif border == "circular":
            x, around = _wrapped(x), 0
        if self._by_winograd(x.shape[2] - 2 + 2 * around, x.shape[3] - 2 + 2 * around):
            padded = functional.pad(x, (1, 1, 1, 1)) if around else x
            y = winograd.convolve(padded, self._transformed, self.bias)
        elif self._by_onednn:
            return _onednn(x, self._packed, self.bias, around, "relu" if relu else "none")
        else:
            y = functional.conv2d(x, self._laid_out, self.bias, padding=around)
        return y.relu_() if relu else y

    def back(self, gradient: Tensor, border: Border) -> Tensor:
        """Gradient at the input (1, in, h, w), from that at the output before the ReLU."""
        if self._by_winograd(*gradient.shape[2:]):
            rim = winograd.convolve_back(gradient, self._transformed)
        else:
            around = 1 if border == "zeros" else 2
            if self._by_onednn:
                rim = _onednn(gradient, self._packed_flipped, None, around, "none")
            else:
                rim = functional.conv2d(gradient, self._flipped, padding=around)
            if around == 1:
                return rim
        if border != "zeros":
            # The rim gives its gradient back to where it was copied from: the edge beside it, or
            # the opposite one.
            first, last = (1, -2) if border == "replicate" else (-2, 1)
            rim[:, :, first] += rim[:, :, 0]
            rim[:, :, last] += rim[:, :, -1]
            rim[..., first] += rim[..., 0]
            rim[..., last] += rim[..., -1]
        return rim[:, :, 1:-1, 1:-1]

    def _by_winograd(self, height: int, width: int) -> bool:
        plain = self.kernel.dtype == torch.float32 and self.kernel.device.type == "cpu"
        return plain and winograd.pays(self.kernel, height, width)

    @cached_property
    def _by_onednn(self) -> bool:
        """Whether PyTorch's entrance to oneDNN, made for its compiler, is there and works."""
        if self.kernel.dtype != torch.bfloat16 or self.kernel.device.type != "cpu":
            return False
        trial = torch.linspace(-1, 1, 16 * self.kernel.shape[1]).to(self.kernel.dtype)
        trial = trial.view(1, 4, 4, -1).permute(0, 3, 1, 2)
        wanted = functional.conv2d(trial, self.kernel, self.bias, padding=1).relu_().float()
        trial_back = torch.linspace(-1, 1, 16 * len(self.bias)).to(self.kernel.dtype)
        trial_back = trial_back.view(1, 4, 4, -1).permute(0, 3, 1, 2)
        wanted_back = functional.conv2d(trial_back, self._flipped, padding=2).float()
        try:
            found = _onednn(trial, self._packed, self.bias, 1, "relu").float()
            back = _onednn(trial_back, self._packed_flipped, None, 2, "none").float()
        except (RuntimeError, AttributeError, TypeError):
            return False
        pairs = (found, wanted), (back, wanted_back)
        return all(bool((a - b).norm() <= 0.02 * b.norm()) for a, b in pairs)

    @cached_property
    def _transformed(self) -> Tensor:
        return winograd.transformed(self.kernel)

    @cached_property
    def _laid_out(self) -> Tensor:
        return self.kernel.contiguous(memory_format=torch.channels_last)

    @cached_property
    def _flipped(self) -> Tensor:
        """(in, out, 3, 3): the kernel of the way back."""
        flipped = self.kernel.flip(2, 3).transpose(0, 1)
        return flipped.contiguous(memory_format=torch.channels_last)

    @cached_property
    def _packed(self) -> Tensor:
        return _packed(self.kernel)

    @cached_property
    def _packed_flipped(self) -> Tensor:
        return _packed(self._flipped)


def _wrapped(x: Tensor) -> Tensor:
    """(1, C, h, w) with a rim of its opposite edges: (1, C, h + 2, w + 2), channels-last."""
    # Not functional.pad, whose circular mode leaves the channels-last order.
    size = (1, x.shape[1], x.shape[2] + 2, x.shape[3] + 2)
    y = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    y[:, :, 1:-1, 1:-1] = x
    y[:, :, 0], y[:, :, -1] = y[:, :, -2], y[:, :, 1]
    y[..., 0], y[..., -1] = y[..., -2], y[..., 1]
    return y


def _packed(kernel: Tensor) -> Tensor:
    """The kernel laid out as oneDNN wants it for maps of a usual size."""
    size = [1, kernel.shape[1], 96, 128]
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
        kernel, [1, 1], [1, 1], [1, 1], 1, size
    )
    return packed


def _onednn(x: Tensor, packed: Tensor, bias: Tensor | None, around: int, then: str) -> Tensor:
    around_both = [around, around]
    result: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, packed, bias, around_both, [1, 1], [1, 1], 1, then, [], ""
    )
    return result

"""A network that is ready to paint, and a picture of any size through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakIdKeyDictionary

from impasto.feedforward.inference import infer
from impasto.feedforward.network import STRIDE, forward
from impasto.pictures.resizing import Size, on_grid

LEAST_SIDE = 2 * STRIDE
"""The least that goes through the network, which compares the places of its coarsest level."""


def size_that_repeats(size: Size) -> Size:
    """The size nearest to another, height and width, at which pictures that repeat are painted."""
    height, width = on_grid(size, STRIDE)
    return max(height, LEAST_SIDE), max(width, LEAST_SIDE)


_conversions = WeakIdKeyDictionary()
"""Kernels on other devices and in other formats, for as long as the kernels themselves are there:
thousands of pictures of a batch are painted with the same."""


@dataclass(frozen=True, eq=False)
class Painter:
    """Kernels and the film that steers them. Shared: never change them in place.

    Attributes:
        kernels: of `network.forward`, in any number format.
        film: (FILM_SIZE,), float32.
    """

    kernels: Mapping[str, Tensor]
    film: Tensor

    @classmethod
    def blend(cls, parts: Sequence[tuple[float, Painter]]) -> Painter:
        """The weighted mean of several that were trained from one base network.

        Source: Dumoulin et al., A Learned Representation for Artistic Style, 2017 (of films);
        Izmailov et al., Averaging Weights Leads to Wider Optima, 2018 (of kernels).

        Args:
            parts: each with its weight; only their ratios matter.
        """
        if len(parts) == 1:
            return parts[0][1]
        whole = sum(weight for weight, _ in parts)
        shares = [weight / whole for weight, _ in parts]
        film = _mean(shares, [painter.film for _, painter in parts])
        first = parts[0][1].kernels
        if all(painter.kernels is first for _, painter in parts):
            return cls(first, film)
        kernels = {
            name: _mean(shares, [painter.kernels[name] for _, painter in parts]) for name in first
        }
        return cls(kernels, film)

    def to(self, device: torch.device, dtype: torch.dtype) -> Painter:
        """The same on a device, with kernels in a number format."""
        kernels = {name: _converted(one, device, dtype) for name, one in self.kernels.items()}
        return Painter(kernels, self.film.to(device))

    def paint(self, picture: Tensor, *, periodic: bool = False) -> Tensor:
        """Repaints a picture.

        Args:
            picture: (1, 3, H, W), float32, sRGB 0..1, where the kernels are.
            periodic: whether it repeats, so that beyond its border lies its opposite edge; H and W
                are then of `size_that_repeats`.

        Returns:
            (1, 3, H, W), float32, 0..1.
        """
        height, width = picture.shape[2:]
        below, beside = (max(-side % STRIDE, LEAST_SIDE - side) for side in (height, width))
        if below or beside:
            around = (beside // 2, beside - beside // 2, below // 2, below - below // 2)
            picture = functional.pad(picture, around, mode="replicate")
        quick = picture.device.type == "cpu" and not torch.is_grad_enabled()
        network = infer if quick else forward
        painted = network(self.kernels, self.film, picture, periodic=periodic)
        top, left = below // 2, beside // 2
        return painted[:, :, top : top + height, left : left + width]


def _converted(kernel: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    if kernel.device == device and kernel.dtype == dtype:
        return kernel
    if kernel not in _conversions:
        _conversions[kernel] = {}
    known = _conversions[kernel]
    if (device, dtype) not in known:
        known[device, dtype] = kernel.to(device, dtype)
    found: Tensor = known[device, dtype]
    return found


def _mean(shares: Sequence[float], tensors: Sequence[Tensor]) -> Tensor:
    whole = tensors[0] * shares[0]
    for share, tensor in zip(shares[1:], tensors[1:], strict=True):
        whole = whole.add_(tensor, alpha=share)
    return whole

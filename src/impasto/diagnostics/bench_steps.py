"""What is timed: steps as in the middle of a run, and the floor under them, bare convolutions."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional

from impasto.layers import stride
from impasto.machine.compute import Machine
from impasto.network.encoder import Encoder
from impasto.network.weights import Weights
from impasto.objective.cuda_graph import capture_graph
from impasto.objective.style_targets import LevelRegion
from impasto.objective.targets import make_objective
from impasto.optimizers.base import PixelOptimizer
from impasto.optimizers.by_settings import make_optimizer
from impasto.pictures.resizing import Size
from impasto.settings.limits import LARGEST_SIDE
from impasto.settings.model import Settings
from impasto.tasks.levels import level_sizes

_STYLE_SIZE = 256


class TimedSteps:
    """Steps as they are in the middle of a run, on a picture of its own.

    The objective is evaluated at one picture again and again. The optimiser is told that it went
    somewhere and that the gradient changed with it, so that it does all it does in a run.

    Args:
        encoder: the network.
        settings: of the objective and the optimiser.
        size: height and width in pixels.
        machine: where it runs.
        side: of the tiles.
    """

    def __init__(
        self,
        encoder: Encoder,
        settings: Settings,
        size: Size,
        machine: Machine,
        side: int = LARGEST_SIDE,
    ) -> None:
        style_size = (_STYLE_SIZE * 3 // 4, _STYLE_SIZE)
        content, style, other, self._move = (
            _picture(shape, seed).to(machine.device)
            for seed, shape in enumerate((size, style_size, size, size))
        )
        self._picture = content.lerp(other, 0.2)
        objective = make_objective(
            encoder, settings, content=content, regions=[LevelRegion.of(style)], side=side
        )
        whole = side == LARGEST_SIDE
        self._objective = capture_graph(objective, self._picture) if whole else objective
        level = len(level_sizes(size, settings)) - 1
        self._optimizer = _experienced_optimizer(settings, self._move, level)
        self._count = 1
        self.gradient = content
        """The latest, (1, 3, H, W)."""

    def take_time(self) -> float:
        """Takes one step; returns how long it took."""
        self._count += 1
        moved = self._move * self._count
        pixels = self._picture + moved
        begun = perf_counter()
        evaluation = self._objective(self._picture)
        loss = float(evaluation.loss)
        _wait_for(evaluation.gradient)
        seconds = perf_counter() - begun
        gradient = evaluation.gradient + moved
        begun = perf_counter()
        _wait_for(self._optimizer.step(pixels, loss, gradient))
        self.gradient = evaluation.gradient
        return seconds + perf_counter() - begun


def _experienced_optimizer(settings: Settings, move: Tensor, level: int) -> PixelOptimizer:
    """An optimiser that remembers as many steps as it may."""
    optimizer = make_optimizer(settings, settings.history, level)
    for count in range(settings.history + 1):
        optimizer.step(move * count, sys.float_info.max, move * count)
    return optimizer


class BareConvolutions:
    """There with the kernels, back with the flipped ones, and nothing else.

    Args:
        network: whose kernels.
        layers: in use; the deepest counts.
        size: height and width of the picture in pixels.
        machine: where it runs.
    """

    def __init__(
        self, network: Weights, layers: Iterable[str], size: Size, machine: Machine
    ) -> None:
        names = list(network.kernels)
        depth = 1 + max(names.index(layer.replace("relu", "conv")) for layer in layers)
        self._kernels = {name: network.kernels[name] for name in names[:depth]}
        self._size, self._machine = size, machine

    def take_time(self) -> float:
        """Convolves once each; returns how long all of them took."""
        pairs = self._inputs_and_kernels()
        begun = perf_counter()
        for x, kernel in pairs:
            y = functional.conv2d(x, kernel, padding=1)
        _wait_for(y)
        return perf_counter() - begun

    def _inputs_and_kernels(self) -> list[tuple[Tensor, Tensor]]:
        """Every convolution's input and kernel, there and back, channels-last."""
        kernels, shapes = [], []
        for name, kernel in self._kernels.items():
            kernel = kernel.to(self._machine.device, self._machine.dtype)
            for way in (kernel, kernel.flip(2, 3).transpose(0, 1)):
                kernels.append(way.contiguous(memory_format=torch.channels_last))
                height, width = (-(-length // stride(name)) for length in self._size)
                shapes.append((1, height, width, way.shape[1]))
        # The inputs share one block of random numbers: to fill one each takes far longer.
        block = torch.rand(
            max(map(math.prod, shapes)), device=self._machine.device, dtype=self._machine.dtype
        )
        _wait_for(block)
        inputs = [block[: math.prod(shape)].view(shape).permute(0, 3, 1, 2) for shape in shapes]
        return list(zip(inputs, kernels, strict=True))


def _wait_for(tensor: Tensor) -> None:
    """Waits until a tensor is there: graphics devices work on while Python goes ahead."""
    tensor.flatten()[-1].item()


def _picture(size: Size, seed: int) -> Tensor:
    """(1, 3, height, width), 0..1: coloured clouds at several scales, and fine noise."""
    generator = torch.Generator().manual_seed(seed)
    picture = 0.1 * torch.rand(1, 3, *size, generator=generator)
    for cells, share in ((3, 0.4), (10, 0.3), (40, 0.2)):
        clouds = torch.rand(1, 3, cells, cells, generator=generator)
        picture += share * functional.interpolate(clouds, size, mode="bilinear")
    return picture

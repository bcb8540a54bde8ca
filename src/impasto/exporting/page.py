"""A model as a page: one file that paints in any browser, without a network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import OutputError
from impasto.feedforward.model import Model
from impasto.feedforward.network import (
    EPSILON,
    NOISE_SIDE,
    SITES,
    SMOOTHING,
    STRIDE,
    forward,
    noise_tile,
)
from impasto.torch_state import with_torch_defaults

WORKER_PARTS = (
    "walk.js",
    "graphics.js",
    "engine_wasm.js",
    "engine_webgpu.js",
    "engine_webgl.js",
    "worker.js",
)
MODULES = ("painter_relaxed.wasm", "painter.wasm")
"""The painter for the processor, the quickest first."""

_LEAST_SIDE = 2 * STRIDE  # what goes through the network at least, as when impasto paints
_ALLOWED = 1 / 3 / 255  # mean deviation from what the model itself paints, of the trial picture
_STEPS = tuple(2 ** (half / 2) for half in range(8, 25))  # the first with which that holds
_LARGE = 230_400  # numbers of a kernel whose deviation has that many steps
_MOST = 32_000  # the largest whole number: it has two bytes


@with_torch_defaults
def page_bytes(model: Model, name: str) -> bytes:
    """The page of a model: HTML with everything in it, which asks for nothing from anywhere.

    Kernels are rounded to whole numbers, with a factor for each output channel: as coarsely as
    changes a trial picture by less than a third of a level of 255 in the mean. Large kernels, whose
    numbers fill the file, are rounded more than small ones. Engines paint with float32, or float16
    where a device has no more.

    Args:
        model: the model.
        name: what messages call the file.

    Raises:
        OutputError: the model paints nothing that can be compared, as its numbers are not finite.
    """
    plan, blob = _network_parts(model, name)
    script = _asset("page.js")
    style = _asset("page.css")
    facts = _facts(model)
    values = {
        "policy": _policy(script, style),
        "title": html.escape(facts["title"]),
        "style": style,
        "script": script,
        "facts": _json(facts),
        "plan": _json(plan),
        "worker": "".join(_asset(name) for name in WORKER_PARTS),
        "network": base64.b64encode(zlib.compress(blob, 9)).decode(),
        "modules": _json([base64.b64encode(_bytes(name)).decode() for name in MODULES]),
    }
    first, *rest = _asset("page.html").split("{{")
    parts = [first]
    for piece in rest:
        key, text = piece.split("}}", 1)
        parts += [values[key], text]
    return "".join(parts).encode()


@dataclass
class _Blob:
    """Numbers one after another, each part at a multiple of 4 bytes."""

    data: bytearray = field(default_factory=bytearray)

    def add(self, numbers: Tensor) -> int:
        """Puts numbers at the end; returns where they begin, in bytes."""
        place = len(self.data)
        array = numbers.contiguous().numpy()
        self.data += array.astype(array.dtype.newbyteorder("<")).tobytes()
        self.data += bytes(-len(self.data) % 4)
        return place

    def add_halves(self, whole: Tensor) -> int:
        """Puts down int16 as all high bytes, then all low ones, which deflate far better.

        Low ones have a sign, too, so that the high ones of small numbers are all 0.
        """
        high = (whole + 128) >> 8
        place = self.add(high.to(torch.int8))
        self.add((whole - 256 * high).to(torch.int8))
        return place

    def add_floats(self, numbers: Tensor) -> list[int]:
        """The same in float32; returns where they begin and how many they are."""
        return [self.add(numbers.to(torch.float32)), numbers.numel()]


def _network_parts(model: Model, name: str) -> tuple[dict[str, Any], bytes]:
    """What the page's engines need: the plan, as JSON, and the numbers that it points into."""
    steps, kernels = _quantised_well(model, name)
    blob, sites = _Blob(), []
    for site in SITES:
        whole, scale = kernels[site.name]
        noise = model.kernels.get(f"noise{site.level}") if site.kind == "down" else None
        sites.append(
            {
                "kind": site.kind,
                "inputs": site.inputs,
                "outputs": site.outputs,
                "size": site.size,
                "stride": site.stride,
                "level": site.level,
                "normalised": site.normalised,
                "smooths": site.smooths,
                "kernel": blob.add_halves(whole),
                "scale": blob.add_floats(scale),
                "noise": None if noise is None else blob.add_floats(noise),
            }
        )
    films = [[blob.add_floats(film) for film in knots] for knots in model.films.values()]
    plan = {
        "sites": sites,
        "films": films,
        "steps": round(steps),
        "stride": STRIDE,
        "least": _LEAST_SIDE,
        "epsilon": EPSILON,
        "smoothing": SMOOTHING,
        "noise": blob.add_floats(noise_tile()),
        "noise_side": NOISE_SIDE,
    }
    return plan, bytes(blob.data)


def _quantised_well(model: Model, name: str) -> tuple[float, Mapping[str, tuple[Tensor, Tensor]]]:
    """Kernels in the fewest steps that change the picture little enough, and how many these are."""
    picture = _trial()
    films = [knots[-1] for knots in model.films.values()]
    wanted = [forward(model.kernels, film, picture) for film in films]
    for steps in _STEPS:
        kernels = {site.name: _quantised(model.kernels[site.name], steps) for site in SITES}
        own = dict(model.kernels)
        for kernel, (whole, scale) in kernels.items():
            own[kernel] = whole.float() * scale[:, None, None, None]
        painted = [forward(own, film, picture) for film in films]
        off = max(
            float((one - other).abs().mean()) for one, other in zip(painted, wanted, strict=True)
        )
        if off <= _ALLOWED:
            return steps, kernels
    raise OutputError(
        f"{name}: the model paints no picture (its numbers are not finite, or too large); "
        "train it anew"
    )


def _quantised(kernel: Tensor, steps: float) -> tuple[Tensor, Tensor]:
    """Whole numbers of a kernel, and a factor for each output channel.

    A factor is a part of the root mean square of its channel, because what a channel puts out is
    normalised or steered: what counts is the error beside all of it. If every kernel adds as much
    error as any other, steps in proportion to the root of a kernel's size take the fewest bits.
    """
    own = kernel.flatten(1)
    part = (kernel.numel() / _LARGE) ** 0.5 / steps
    scale = (part * own.square().mean(1).sqrt()).maximum(own.abs().amax(1) / _MOST)
    scale = scale.clamp_min(1e-12)
    whole = (kernel / scale[:, None, None, None]).round()
    return whole.to(torch.int16), scale


def _trial() -> Tensor:
    """A picture with something everywhere: plain, fine and coarse; (1, 3, 96, 128)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 6, 8, generator=generator)
    fine = torch.rand(1, 3, 96, 128, generator=generator)
    share = torch.linspace(0, 0.5, 128)
    return functional.interpolate(coarse, (96, 128), mode="bilinear").lerp(fine, share)


def _facts(model: Model) -> dict[str, Any]:
    """What the page says of the model."""
    names = list(model.films)
    pictures = [model.thumbnails.get(f"style.{number}") for number in range(len(names))]
    licence = model.facts.get("licence")
    return {
        "title": ", ".join(names),
        "styles": [
            {"name": name, "picture": None if data is None else _jpeg(data)}
            for name, data in zip(names, pictures, strict=True)
        ],
        "result": _jpeg(model.thumbnails["result"]) if "result" in model.thumbnails else None,
        "side": model.side,
        "licence": licence if isinstance(licence, str) else None,
    }


def _jpeg(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def _policy(script: str, style: str) -> str:
    """What the page may do: run its own script, and nothing that needs a network."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'sha256-{_hash(script)}' 'wasm-unsafe-eval' blob:",
            f"style-src 'sha256-{_hash(style)}'",
            "worker-src blob:",
            "img-src data: blob:",
            "media-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: object) -> str:
    """JSON that can stand in a page: it ends no element."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return _bytes(name).decode()


def _bytes(name: str) -> bytes:
    return (resources.files("impasto.exporting") / "assets" / name).read_bytes()

"""A model as a file that ONNX Runtime and other programs run, compared with PyTorch before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import MissingExtraError, OutputError
from impasto.feedforward.model import FAINT, Model
from impasto.feedforward.painter import Painter
from impasto.torch_state import safe_threads

OnnxPrecision = Literal["float32", "float16"]
"""How exactly the file's kernels and feature maps are."""

MOST_DIFFERENCE = 1 / 255
"""Mean over a picture by which ONNX Runtime may differ from PyTorch in float32."""

_TRIALS = ((2, 48, 64, (1.0,)), (1, 65, 113, (0.1,)), (2, 131, 70, (0.6, 0.3)))
"""Pictures, height, width and strengths of what is compared."""

_USAGE = (
    "Paints photographs. Input picture: (batch, 3, height, width), float32, RGB in sRGB, 0 to 1, "
    "any size; strokes have their own size where the long side is near {side} pixels. Input "
    "strength: (1,) or (batch,), float32, 0 (the photograph) to 1.{blend} Output painted: as "
    "picture."
)
_BLEND = (
    " Input blend: ({count},), float32, weights of the styles {names}; only their ratios matter."
)


def check_onnx() -> None:
    """Find out whether a file can be written and run.

    Raises:
        MissingExtraError: ``impasto[onnx]`` is not installed.
    """
    try:
        import onnx
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError(
            "a model as .onnx needs onnx and onnxruntime: pip install 'impasto[onnx]'"
        ) from error
    del onnx, onnxruntime


def onnx_bytes(model: Model, name: str, precision: OnnxPrecision) -> bytes:
    """A model as ONNX, once ONNX Runtime has painted with it what PyTorch paints.

    Args:
        model: the model.
        name: what messages call the file.
        precision: see `OnnxPrecision`.

    Raises:
        MissingExtraError: ``impasto[onnx]`` is not installed.
        OutputError: the two differ by more than `MOST_DIFFERENCE`; its exit code is 1.
    """
    check_onnx()
    from impasto.exporting.onnx_graph import build

    half = precision == "float16"
    proto = build(model, half=half, facts=_facts(model, precision))
    content: bytes = proto.SerializeToString()
    for size, difference in _differences(model, content):
        if not difference <= MOST_DIFFERENCE:
            remedy = "take precision float32" if half else "the model is damaged; train it anew"
            error = OutputError(
                f"{name}: not written: at {size} ONNX Runtime's picture is {difference * 255:.2f} "
                f"levels of 255 from PyTorch's in the mean, and at most 1 is allowed; {remedy}"
            )
            error.exit_code = 1
            raise error
    return content


def painted_by_torch(
    model: Model, picture: Tensor, strength: float, blend: Sequence[float] | None = None
) -> Tensor:
    """What every export of a model is compared with, in float32.

    Args:
        model: the model.
        picture: (1, 3, H, W), sRGB 0..1.
        strength: 0..1.
        blend: weights of the model's styles; all alike if None.

    Returns:
        (1, 3, H, W), 0..1.
    """
    films = torch.stack([model.film(name, max(FAINT, strength)) for name in model.films])
    weights = torch.ones(len(films)) if blend is None else torch.tensor(blend)
    painter = Painter(model.kernels, (weights / weights.sum()) @ films)
    painted = painter.paint(picture)
    return picture.lerp(painted, min(1.0, strength / FAINT))


def _differences(model: Model, content: bytes) -> Iterator[tuple[str, float]]:
    """The mean difference at each size of `_TRIALS`."""
    session = _session(content)
    generator = torch.Generator().manual_seed(0)
    blend = torch.arange(1.0, len(model.films) + 1)
    for count, height, width, strengths in _TRIALS:
        coarse = torch.rand(count, 3, 6, 6, generator=generator)
        pictures = functional.interpolate(coarse, (height, width), mode="bilinear")
        pictures += 0.05 * torch.randn(pictures.shape, generator=generator)
        pictures = pictures.clamp_(0, 1)
        given: dict[str, Any] = {"picture": pictures.numpy()}
        given["strength"] = torch.tensor(strengths).numpy()
        if len(blend) > 1:
            given["blend"] = blend.numpy()
        (found,) = session.run(None, given)
        each = strengths * count if len(strengths) == 1 else strengths
        with torch.no_grad():
            wanted = torch.cat(
                [
                    painted_by_torch(model, one[None], strength, blend.tolist())
                    for one, strength in zip(pictures, each, strict=True)
                ]
            )
        difference = (torch.from_numpy(found) - wanted).abs().mean(dim=(1, 2, 3)).max()
        yield f"{width} x {height}", float(difference)


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = safe_threads(torch.get_num_threads())
    options.log_severity_level = 3  # errors alone
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _facts(model: Model, precision: OnnxPrecision) -> dict[str, str]:
    """What the file says of itself, by key."""
    names = list(model.films)
    blend = _BLEND.format(count=len(names), names=", ".join(names)) if len(names) > 1 else ""
    facts = {
        "usage": _USAGE.format(side=model.side, blend=blend),
        "styles": json.dumps(names),
        "side": str(model.side),
        "precision": precision,
        "impasto": json.dumps(dict(model.facts)),
    }
    if "licence" in model.facts:
        facts["licence"] = str(model.facts["licence"])
    if model.sha256:
        facts["model_sha256"] = model.sha256
    return facts

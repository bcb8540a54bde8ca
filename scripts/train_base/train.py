"""Train the base network: many styles, many photographs, the default's own objective.

::

    python -m scripts.train_base.train POOL -o base.safetensors [--minutes 100] [--device cuda]

A step paints one crop in one style, asks impasto's objective for the loss and its gradient at the
pixels, and hands the gradient, divided by the loss, to the network: so no style weighs more than
another. Adam with batches of one; the rate falls as a half cosine over the minutes. What is written
is the average of the weights over the last thousand steps or so. ``--checkpoint`` goes on where the
run before stood.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from impasto.feedforward.network import forward, initial_kernels
from impasto.feedforward.quantising import quantised
from impasto.feedforward.style_code import film_of, initial_predictor
from impasto.losses.statistics import Statistics
from impasto.objective.content_targets import ContentTarget
from impasto.objective.objective import Evaluation, Objective
from impasto.objective.style_targets import StyleTarget, losses_towards
from scripts.train_base.pool import SETTINGS, Crop, Pool

RATE, LAST_RATE = 1e-3, 0.05
WARM_UP = 100
AVERAGE = 0.999
EVERY = 240.0


@dataclass
class Training:
    """All that a run changes.

    Attributes:
        kernels: of the network, float32.
        predictor: of the films, float32.
        reference: what is usual of a style.
        averages: of all kernels, then of all of the predictor.
        optimizer: Adam on both.
        step: how many were taken.
    """

    kernels: dict[str, Tensor]
    predictor: dict[str, Tensor]
    reference: dict[str, Tensor]
    averages: list[Tensor]
    optimizer: torch.optim.Adam
    step: int = 0

    @classmethod
    def begin(cls, pool: Pool, device: torch.device) -> Training:
        """From random weights."""
        kernels = {name: one.to(device) for name, one in initial_kernels().items()}
        predictor = {name: one.to(device) for name, one in initial_predictor().items()}
        weights = [*kernels.values(), *predictor.values()]
        averages = [one.clone() for one in weights]
        for one in weights:
            one.requires_grad_()
        optimizer = torch.optim.Adam(weights, lr=RATE, betas=(0.9, 0.99))
        return cls(kernels, predictor, pool.usual(), averages, optimizer)

    @property
    def weights(self) -> list[Tensor]:
        """All that is trained."""
        return [*self.kernels.values(), *self.predictor.values()]

    def save(self, path: Path) -> None:
        """Keeps all of it, whole or not at all."""
        unfinished = path.with_suffix(".part")
        torch.save(
            {
                "weights": [one.detach() for one in self.weights],
                "averages": self.averages,
                "reference": self.reference,
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
            },
            unfinished,
        )
        unfinished.replace(path)

    def restore(self, path: Path) -> None:
        """Goes on from what `save` kept."""
        kept = torch.load(path, map_location=self.averages[0].device, weights_only=True)
        with torch.no_grad():
            for own, other in zip(self.weights, kept["weights"], strict=True):
                own.copy_(other)
        self.averages, self.reference = kept["averages"], kept["reference"]
        self.optimizer.load_state_dict(kept["optimizer"])
        self.step = kept["step"]


def main() -> None:
    """Reads the command line, trains, and writes the base network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path, help="folder that fetch_pictures made")
    parser.add_argument("-o", "--output", type=Path, default=Path("base.safetensors"))
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch chooses")
    parser.add_argument("--keep", type=int, default=210, help="crops and styles held described")
    parser.add_argument("--checkpoint", type=Path, help="to go on from, and to write")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    torch.manual_seed(given.seed)
    pool = Pool(given.pool, given.keep, given.seed, device)
    training = Training.begin(pool, device)
    if given.checkpoint is not None and given.checkpoint.exists():
        training.restore(given.checkpoint)
    with given.output.with_suffix(".csv").open("a") as log:
        for line in train(training, pool, 60 * given.minutes, random.Random(given.seed + 1)):
            print(line, flush=True)
            print(line, file=log, flush=True)
            if given.checkpoint is not None:
                training.save(given.checkpoint)
            write(training, given.output)


def train(training: Training, pool: Pool, seconds: float, draw: random.Random) -> Iterator[str]:
    """Trains for some time; yields a line of the log every few minutes and at the end."""
    began = last = time.monotonic()
    losses: list[float] = []
    for count in itertools.count():
        spent = time.monotonic() - began
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1, spent / seconds))
        rate = RATE * min(1, (count + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * cosine)
        for group in training.optimizer.param_groups:
            group["lr"] = rate
        crop, style = pool.draw(training.step)
        strength = 0.5 if draw.random() < 0.6 else round(draw.uniform(0.15, 0.9), 2)
        losses.append(math.log(take_step(training, pool, crop, style, strength)))
        if spent >= seconds or time.monotonic() - last >= EVERY:
            last = time.monotonic()
            mean = sum(losses) / len(losses)
            yield f"{training.step},{spent:.0f},{mean:.4f},{rate:.6f}"
            losses = []
        if spent >= seconds:
            return


def take_step(
    training: Training,
    pool: Pool,
    crop: Crop,
    style: Mapping[str, Statistics],
    strength: float,
) -> float:
    """One step of Adam; returns the loss. A loss that is not finite changes nothing."""
    kernels = {name: one.to(torch.bfloat16) for name, one in training.kernels.items()}
    film = film_of(training.predictor, training.reference, style, strength)
    painted = forward(kernels, film, crop.pixels)
    found = evaluate(pool, crop, style, strength, painted.detach())
    loss = float(found.loss)
    if not math.isfinite(loss):
        return loss
    painted.backward(found.gradient / max(loss, 1e-3))  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(training.weights, 1.0)
    training.optimizer.step()
    training.optimizer.zero_grad()
    share = 1 - min(AVERAGE, (1 + training.step) / (10 + training.step))
    with torch.no_grad():
        for average, own in zip(training.averages, training.weights, strict=True):
            average.lerp_(own, share)
    training.step += 1
    return loss


def evaluate(
    pool: Pool, crop: Crop, style: Mapping[str, Statistics], strength: float, painted: Tensor
) -> Evaluation:
    """What impasto's objective says of a painted crop."""
    settings = SETTINGS.replace(strength=strength)
    share = settings.weights.content / SETTINGS.weights.content
    of_features = {k: (w * share, loss) for k, (w, loss) in crop.target.features.items()}
    similarity = {k: (w * share, loss) for k, (w, loss) in crop.target.similarity.items()}
    target = ContentTarget(
        of_features, similarity, crop.target.places, crop.target.content, crop.target.maps
    )
    layers = {k: w * settings.weights.style for k, w in settings.style_layers.items()}
    losses = losses_towards([(1.0, style)], settings, layers, crop.sums)
    return Objective(pool.describer, settings, target, (StyleTarget(losses),))(painted)


def write(training: Training, path: Path) -> None:
    """Writes the averages as a base network: large arrays in a byte a number."""
    tensors: dict[str, Tensor] = {}
    named = [
        *(f"kernel.{name}" for name in training.kernels),
        *(f"predictor.{name}" for name in training.predictor),
    ]
    for name, average in zip(named, training.averages, strict=True):
        own = average.detach().cpu().float().contiguous()
        tensors.update(quantised(name, own) if own.dim() > 1 and own.numel() > 256 else {name: own})
    for name, one in training.reference.items():
        tensors[f"reference.{name}"] = one.cpu().contiguous()
    facts = {"kind": "base", "format": 1, "steps": training.step, "licence": "MIT"}
    unfinished = path.with_suffix(".part")
    save_file(tensors, unfinished, {"impasto": json.dumps(facts, sort_keys=True)})
    unfinished.replace(path)


if __name__ == "__main__":
    main()

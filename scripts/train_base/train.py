"""Train the base network: many styles, many photographs, the default's own objective.

::

    python -m scripts.train_base.train POOL -o base.safetensors [--minutes 70] [--device cuda]

It starts from POOL/start.safetensors, which `grow` makes, or from another base network's file. A
step paints one crop in one style, asks impasto's objective for the loss and its gradient at the
pixels, and hands the gradient, divided by the loss, to the network: so no style weighs more than
another. What depends on the network's own grid, which the objective does not see, is a loss of its
own (`impasto.training.lattice`). Adam with batches of one; kernels learn a third as fast as what
predicts films; the rates fall as half a cosine over the minutes. What is written is the average of
the weights over the last thousand steps or so. ``--checkpoint`` goes on where the run before stood,
with the rates of a new run.

The log, beside the base network with the ending ``.csv``, has a line every few minutes: the step,
the seconds, the mean of the logarithm of the loss, the loss of pairs that no training sees as a
share of the unpainted photograph's, the lattice in them, and the rate.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.feedforward.base import BaseNetwork, load_base
from impasto.feedforward.network import forward
from impasto.feedforward.style_code import film_of
from impasto.files import replacing
from impasto.objective.describer import Describer, Sums
from impasto.objective.objective import Evaluation
from impasto.training.crops import Crop, evaluate, scaled
from impasto.training.lattice import lattice_loss, lattice_of
from scripts.train_base.base_file import write_base
from scripts.train_base.pool import SETTINGS, Judges, Pool, quickest_on

RATE, LAST_RATE = 1e-3, 0.05
KERNELS_SHARE = 0.3
"""Of the rate, for the kernels: they know something already."""

WARM_UP = 100
AVERAGE = 0.999
LONGEST = 1.0
"""Norm of the gradient of all weights together, at most."""

LATTICE = 4.0
"""Weight of the loss against the lattice, beside the logarithm of what the objective says."""

USUAL_STRENGTH = 0.6
"""Share of the steps with a strength of 0.5; the others' lies anywhere in 0.15 to 0.9."""

EVERY = 240.0
"""Seconds between two lines of the log."""


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
        seconds: how long they took.
        before: steps and minutes that the network had seen at the start.
    """

    kernels: dict[str, Tensor]
    predictor: dict[str, Tensor]
    reference: dict[str, Tensor]
    averages: list[Tensor]
    optimizer: torch.optim.Adam
    step: int = 0
    seconds: float = 0.0
    before: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, start: BaseNetwork, device: torch.device) -> Training:
        """From a base network."""
        parts = start.kernels, start.predictor, start.reference
        kernels, predictor, reference = (
            {name: one.to(device, copy=True) for name, one in part.items()} for part in parts
        )
        weights = [*kernels.values(), *predictor.values()]
        averages = [one.clone() for one in weights]
        for one in weights:
            one.requires_grad_()
        groups = [{"params": list(kernels.values())}, {"params": list(predictor.values())}]
        optimizer = torch.optim.Adam(groups, lr=RATE, betas=(0.9, 0.99))
        return cls(kernels, predictor, reference, averages, optimizer, before=start.facts)

    @property
    def weights(self) -> list[Tensor]:
        """All that is trained."""
        return [*self.kernels.values(), *self.predictor.values()]

    def averaged(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Kernels and predictor, averaged."""
        count = len(self.kernels)
        return (
            dict(zip(self.kernels, self.averages[:count], strict=True)),
            dict(zip(self.predictor, self.averages[count:], strict=True)),
        )

    def set_rate(self, rate: float) -> None:
        """The rate of the predictor; the kernels' is a share of it."""
        kernels, predictor = self.optimizer.param_groups
        kernels["lr"], predictor["lr"] = KERNELS_SHARE * rate, rate

    def save(self, path: Path) -> None:
        """Keeps all of it, whole or not at all."""
        kept = {
            "weights": [one.detach() for one in self.weights],
            "averages": self.averages,
            "reference": self.reference,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        with replacing(path) as temporary:
            torch.save(kept, temporary)

    def restore(self, path: Path) -> None:
        """Goes on from what `save` kept."""
        kept = torch.load(path, map_location=self.averages[0].device, weights_only=True)
        with torch.no_grad():
            for own, other in zip(self.weights, kept["weights"], strict=True):
                own.copy_(other)
        self.averages, self.reference = kept["averages"], kept["reference"]
        self.optimizer.load_state_dict(kept["optimizer"])
        self.step, self.seconds = kept["step"], kept["seconds"]


def main() -> None:
    """Reads the command line, trains, and writes the base network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path, help="folder that fetch_pictures made")
    parser.add_argument("-o", "--output", type=Path, default=Path("base.safetensors"))
    parser.add_argument("--start", type=Path, help="base network's file; POOL/start.safetensors")
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--rate", type=float, default=RATE, help="of the predictor, at most")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch chooses")
    parser.add_argument("--keep", type=int, default=240, help="crops and styles held described")
    parser.add_argument("--checkpoint", type=Path, help="to go on from, and to write")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    torch.manual_seed(given.seed)
    training = Training.begin(load_base(given.start or given.pool / "start.safetensors"), device)
    if given.checkpoint is not None and given.checkpoint.exists():
        training.restore(given.checkpoint)
    pool = Pool(given.pool, given.keep, given.seed, device)
    judges = Judges(given.pool, pool.describer, device)
    draw = random.Random(given.seed + 1)
    with given.output.with_suffix(".csv").open("a", encoding="utf-8") as log:
        for loss, rate in train(training, pool, 60 * given.minutes, given.rate, draw):
            share, lattice = judge(training, pool.describer, judges)
            seconds = round(training.seconds)
            line = f"{training.step},{seconds},{loss:.4f},{share:.4f},{lattice:.4f},{rate:.6f}"
            print(line, flush=True)
            print(line, file=log, flush=True)
            if given.checkpoint is not None:
                training.save(given.checkpoint)
            write(training, given.output)


def train(
    training: Training, pool: Pool, seconds: float, highest: float, draw: random.Random
) -> Iterator[tuple[float, float]]:
    """Trains for some time.

    Yields:
        Every few minutes and at the end the mean logarithm of the losses since then, and the rate.
    """
    began = last = time.monotonic()
    before, losses = training.seconds, list[float]()
    for count in itertools.count():
        spent = time.monotonic() - began
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1, spent / seconds))
        rate = highest * min(1, (count + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * cosine)
        training.set_rate(rate)
        crop, style = pool.draw(training.step)
        usual = draw.random() < USUAL_STRENGTH
        strength = 0.5 if usual else round(draw.uniform(0.15, 0.9), 2)
        losses.append(math.log(take_step(training, pool.describer, crop, style, strength)))
        training.seconds = before + time.monotonic() - began
        if spent >= seconds or time.monotonic() - last >= EVERY:
            last = time.monotonic()
            yield sum(losses) / len(losses), rate
            losses = []
        if spent >= seconds:
            return


def take_step(
    training: Training, describer: Describer, crop: Crop, style: Sums, strength: float
) -> float:
    """One step of Adam; returns the loss. A loss that is not finite changes nothing."""
    dtype = quickest_on(crop.pixels.device)
    kernels = {name: one.to(dtype) for name, one in training.kernels.items()}
    film = film_of(training.predictor, training.reference, style, strength)
    painted = forward(kernels, film, crop.pixels)
    found = evaluation(describer, crop, style, strength, painted.detach())
    loss = float(found.loss)
    if not math.isfinite(loss):
        return loss
    _, against = lattice_loss(painted)
    torch.autograd.backward(painted, found.gradient / max(loss, 1e-3) + LATTICE * against)
    torch.nn.utils.clip_grad_norm_(training.weights, LONGEST)
    training.optimizer.step()
    training.optimizer.zero_grad()
    share = 1 - min(AVERAGE, (1 + training.step) / (10 + training.step))
    with torch.no_grad():
        for average, own in zip(training.averages, training.weights, strict=True):
            average.lerp_(own, share)
    training.step += 1
    return loss


def evaluation(
    describer: Describer, crop: Crop, style: Sums, strength: float, painted: Tensor
) -> Evaluation:
    """What impasto's objective at a strength says of a painted crop."""
    settings = SETTINGS.replace(strength=strength)
    share = settings.weights.content / SETTINGS.weights.content
    return evaluate(describer, settings, scaled(crop, share), style, painted)


def judge(training: Training, describer: Describer, judges: Judges) -> tuple[float, float]:
    """What the averaged network paints, in the mean of all pairs.

    Returns:
        The loss as a share of the photograph's, and the lattice.
    """
    kernels, predictor = training.averaged()
    dtype = quickest_on(training.averages[0].device)
    kernels = {name: one.to(dtype) for name, one in kernels.items()}
    shares, lattices = [], []
    for crop, style in itertools.product(judges.crops, judges.styles):
        with torch.no_grad():
            film = film_of(predictor, training.reference, style, 0.5)
            painted = forward(kernels, film, crop.pixels)
        one, other = (
            float(evaluation(describer, crop, style, 0.5, pixels).loss)
            for pixels in (painted, crop.pixels)
        )
        shares.append(one / other)
        lattices.append(float(lattice_of(painted)))
    return sum(shares) / len(shares), sum(lattices) / len(lattices)


def write(training: Training, path: Path) -> None:
    """Writes the averages as a base network: large arrays in a byte a number."""
    kernels, predictor = training.averaged()
    before = training.before
    facts = {
        "steps": before.get("steps", 0) + training.step,
        "minutes": round(before.get("minutes", 0) + training.seconds / 60, 1),
    }
    write_base(path, kernels, predictor, training.reference, facts, in_bytes=True)


if __name__ == "__main__":
    main()

"""What goes between the driver of a batch and its workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from impasto.batch.jobs import Job


@dataclass(frozen=True)
class Order:
    """A job on its way to a worker.

    Attributes:
        number: tells it from others of the batch.
        job: what is to be painted.
        trial: whether only a few steps are to be taken, to measure how long the whole takes.
        shipped: contents of its input files by name, where the worker may be on another machine.
        store: where the worker itself puts the result; empty where it hands it to the driver.
    """

    number: int
    job: Job
    trial: bool = False
    shipped: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    store: str = ""


@dataclass(frozen=True)
class Began:
    """A worker has begun with an order."""

    number: int
    worker: str


@dataclass(frozen=True)
class Moved:
    """How far an order is.

    Attributes:
        number: of the order.
        progress: share of its work that is done, 0..1.
    """

    number: int
    progress: float


@dataclass(frozen=True)
class Painted:
    """A finished picture.

    Attributes:
        number: of the order.
        data: the file; empty where the worker has put it in its place.
        size: the length of the file in bytes.
        recipe: as JSON.
        seconds: from the decoded picture to the encoded one.
        steps: of them, spent on targets and steps of the optimiser.
    """

    number: int
    data: bytes = field(repr=False)
    size: int
    recipe: str
    seconds: float
    steps: float


@dataclass(frozen=True)
class Failed:
    """An order that cannot be painted, and why, in one line.

    Attributes:
        number: of the order.
        error: why.
        storage: whether the picture is fine and there is no place for it.
    """

    number: int
    error: str
    storage: bool = False


@dataclass(frozen=True)
class Lost:
    """An order whose worker is gone.

    Attributes:
        number: of the order.
        why: what became of the worker.
        seconds: of painting that are lost; None if it had not begun.
        blamed: whether it may be what the worker died of.
    """

    number: int
    why: str
    seconds: float | None
    blamed: bool


@dataclass(frozen=True)
class Measured:
    """How long a picture would take.

    Attributes:
        number: of the order.
        seconds: for the whole picture.
        machine: what it was measured with.
    """

    number: int
    seconds: float
    machine: str


Message: TypeAlias = Began | Moved | Painted | Failed | Lost | Measured


class Engine(Protocol):
    """Something that has orders painted. A context manager: at its end no worker is left."""

    @property
    def workers(self) -> int:
        """How many pictures are painted at a time."""

    def room(self, waiting: int) -> int:
        """How many more orders it takes at the moment, where so many wait."""

    def submit(self, order: Order) -> None:
        """Takes an order."""

    def receive(self, timeout: float) -> Sequence[Message]:
        """What came from the workers, after so many seconds at the most."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *_: object) -> None: ...

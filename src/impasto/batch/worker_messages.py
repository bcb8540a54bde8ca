"""What goes between the driver of a batch and its workers: work orders there, messages back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from impasto.batch.batch_job import BatchJob


@dataclass(frozen=True)
class WorkOrder:
    """A job on its way to a worker.

    Attributes:
        number: tells it from others of the batch.
        job: what is to be painted.
        trial: whether only a few steps are to be taken, to measure how long the whole takes.
        shipped: contents of its input files by name, where the worker may be on another machine.
        store: where the worker itself puts the result; empty where it hands it to the driver.
    """

    number: int
    job: BatchJob
    trial: bool = False
    shipped: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    store: str = ""


@dataclass(frozen=True)
class WorkerMessage:
    """What an engine passes on to the driver.

    Attributes:
        number: of the order that it tells of.
    """

    number: int


@dataclass(frozen=True)
class PaintingBegun(WorkerMessage):
    """A worker has begun with an order.

    Attributes:
        worker: the number of its process, or ``ray``.
    """

    worker: str


@dataclass(frozen=True)
class PaintingProgress(WorkerMessage):
    """How far an order is.

    Attributes:
        progress: share of its work that is done, 0..1.
    """

    progress: float


@dataclass(frozen=True)
class PicturePainted(WorkerMessage):
    """A finished picture.

    Attributes:
        data: the file; empty where the worker has put it in its place.
        size: the length of the file in bytes.
        recipe: as JSON.
        seconds: from the decoded picture to the encoded one.
        steps: of them, spent on targets and steps of the optimiser.
    """

    data: bytes = field(repr=False)
    size: int
    recipe: str
    seconds: float
    steps: float


@dataclass(frozen=True)
class PictureFailed(WorkerMessage):
    """An order that cannot be painted.

    Attributes:
        error: why, in one line.
        storage: whether the picture is fine and there is no place for it.
    """

    error: str
    storage: bool = False


@dataclass(frozen=True)
class PictureLost(WorkerMessage):
    """An order whose worker is gone.

    Attributes:
        why: what became of the worker.
        seconds: of painting that are lost; None if it had not begun.
        blamed: whether it may be what the worker died of.
    """

    why: str
    seconds: float | None
    blamed: bool


@dataclass(frozen=True)
class TimeMeasured(WorkerMessage):
    """How long a picture would take: the answer to a trial.

    Attributes:
        seconds: for the whole picture.
        machine: what it was measured with.
    """

    seconds: float
    machine: str


@dataclass(frozen=True)
class WorkerReady:
    """The first message of a worker process: it can work.

    Attributes:
        machine: what it computes with.
        device: the kind of device, such as ``cpu``.
    """

    machine: str
    device: str


@dataclass(frozen=True)
class WorkerRefused:
    """The first and last message of a worker process that cannot work.

    Attributes:
        error: why.
        kind: the name of the error's class.
    """

    error: str
    kind: str


@dataclass(frozen=True)
class DecodingBegun:
    """A worker process decodes an order's pictures, perhaps while it paints another order."""

    number: int


@dataclass(frozen=True)
class DecodingEnded:
    """A worker process has decoded an order's pictures, or found that they cannot be."""

    number: int

"""What an engine is to the driver of a batch: something that has work orders painted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from impasto.batch.worker_messages import WorkerMessage, WorkOrder


class Engine(Protocol):
    """Has orders painted. A context manager: at its end no worker is left."""

    @property
    def distant(self) -> bool:
        """Whether its workers may be on other machines, and store results there themselves."""

    @property
    def workers(self) -> int:
        """How many pictures are painted at a time."""

    def capacity(self, waiting: int) -> int:
        """How many more orders it takes at the moment, where so many wait."""

    def submit(self, order: WorkOrder) -> None:
        """Takes an order."""

    def receive(self, timeout: float) -> Sequence[WorkerMessage]:
        """What came from the workers, after so many seconds at the most."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *_: object) -> None: ...

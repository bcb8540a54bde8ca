"""What a worker does with an order: opens its pictures, paints, and makes a file of the result."""

from __future__ import annotations

import json
import math
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from impasto.batch.input_files import open_input
from impasto.batch.storage import storage_at
from impasto.batch.worker_messages import (
    PaintingProgress,
    PictureFailed,
    PicturePainted,
    TimeMeasured,
    WorkOrder,
)
from impasto.errors import ImpastoError, OutputError, WeightsError
from impasto.feedforward.base import BaseNetwork, load_base
from impasto.feedforward.model_file import load_model
from impasto.files import file_facts
from impasto.machine.compute import Compute
from impasto.network.weights import Weights, load_weights
from impasto.painting.step import Step
from impasto.painting.synthesis import Steps, start_run
from impasto.paths import is_url, model_name, without_part
from impasto.pictures.encoding import encode_picture
from impasto.pictures.image import Image, open_image
from impasto.settings.model import Settings
from impasto.settings.recipes import Inputs
from impasto.tasks.levels import level_iterations
from impasto.tasks.styles import Style, open_style
from impasto.tasks.task import Task

_SECONDS_BETWEEN_REPORTS = 0.3
_STYLES = 4  # kept with their pictures: jobs come sorted by style
_TRIAL_SECONDS = 8.0
_TRIAL_STEPS = 3


class OrderPainter:
    """Paints orders one by one; keeps the network, and the last styles with their targets.

    `open_pictures` may be called from another thread than `paint`, for the next order, and what
    `paint` returns from a third one.

    Args:
        compute: what it computes with.
    """

    def __init__(self, compute: Compute) -> None:
        self.compute = compute
        self._networks: dict[str | None, Weights] = {}
        self._bases: dict[str, BaseNetwork] = {}
        self._styles: OrderedDict[tuple[str, str], Style] = OrderedDict()
        self._lock = threading.Lock()

    def open_pictures(self, order: WorkOrder) -> Task:
        """What there is to do, its pictures decoded.

        Raises:
            ImpastoError: a picture that cannot be read.
        """
        job = order.job
        content = self._open(job.content, order.shipped)
        with self._lock:
            styles = tuple(self._style(name, order) for name in job.styles)
        several = job.styles if len(job.styles) > 1 else job.styles[0]
        inputs = Inputs.of(job.content, several)
        return Task("stylize", job.settings, content, styles, inputs=inputs)

    def paint(
        self, order: WorkOrder, task: Task, report: Callable[[PaintingProgress], None]
    ) -> Callable[[], PicturePainted | PictureFailed]:
        """Paints an order.

        Args:
            order: the order.
            task: as `open_pictures` gave it.
            report: hears now and then how far it is.

        Returns:
            What is left to do, which needs no worker: encode the picture, store it.

        Raises:
            ImpastoError: it cannot be painted as it is asked for.
        """
        began = last = time.perf_counter()
        steps = self._start(order, task)
        ready = time.perf_counter()
        step: Step | None = None
        for step in steps:
            now = time.perf_counter()
            if now - last >= _SECONDS_BETWEEN_REPORTS:
                last = now
                report(PaintingProgress(order.number, step.progress))
        assert step is not None  # every run has a step
        walked = time.perf_counter() - ready
        image = step.image
        return partial(_encode_and_store, order, image, time.perf_counter() - began, walked)

    def measure(self, order: WorkOrder, task: Task) -> TimeMeasured:
        """Takes a few steps of each level, and says how long the whole picture would take.

        Levels that are not reached in some seconds are taken to be as fast for each pixel.
        """
        if task.at_once:
            return self._measure_at_once(order, task)
        settings = task.settings
        few = replace(task, settings=settings.replace(iterations=(_TRIAL_STEPS,), stop_loss=None))
        before = began = time.perf_counter()
        spent: dict[int, list[float]] = {}
        step: Step | None = None
        for step in self._start(order, few):
            now = time.perf_counter()
            spent.setdefault(step.level, []).append(now - before)
            before = now
            if now - began > _TRIAL_SECONDS:
                break
        assert step is not None
        seconds = _seconds_of_all_levels(step, spent, settings)
        return TimeMeasured(order.number, seconds, str(step.machine))

    def _measure_at_once(self, order: WorkOrder, task: Task) -> TimeMeasured:
        """How long a picture takes once the style was looked at, which is done but once."""
        for _ in range(2):
            began = time.perf_counter()
            steps = list(self._start(order, task))
            seconds = time.perf_counter() - began
        return TimeMeasured(order.number, seconds, str(steps[-1].machine))

    def _start(self, order: WorkOrder, task: Task) -> Steps:
        job = order.job
        base = None if job.base is None else self._load_base(job.base)
        return start_run(task, self.load_network(job.weights), self.compute, base=base)

    def _load_base(self, path: str) -> BaseNetwork:
        if path not in self._bases:
            self._bases[path] = load_base(path)
        return self._bases[path]

    def load_network(self, path: str | None) -> Weights:
        """The network of a file, the embedded one if None. Raises `WeightsError`."""
        with self._lock:
            if path not in self._networks:
                self._networks[path] = load_weights(path)
            return self._networks[path]

    def _style(self, name: str, order: WorkOrder) -> Style:
        """A style, that of an order before if its files are the same."""
        key = name, _file_stamps(without_part(name), order)
        if key not in self._styles:
            model = model_name(name)
            files = [one for one in order.shipped if Path(one).parent == Path(name)]
            if model is not None:
                self._styles[key] = _open_model(*model, order.shipped)
            elif files and name not in order.shipped:  # a folder on the driver's machine
                pictures = [self._open(one, order.shipped) for one in sorted(files)]
                self._styles[key] = Style(tuple(pictures))
            elif name in order.shipped or is_url(name):
                self._styles[key] = Style((self._open(name, order.shipped),))
            else:
                self._styles[key] = open_style(name, self._open)
            while len(self._styles) > _STYLES:
                self._styles.popitem(last=False)
        self._styles.move_to_end(key)
        return self._styles[key]

    def _open(self, name: object, shipped: Mapping[str, bytes] | None = None) -> Image:
        source = open_input(str(name), shipped)
        return open_image(source, max_pixels=self.compute.max_pixels)


def describe_failure(order: WorkOrder, error: Exception) -> PictureFailed:
    """Why an order cannot be painted, in one line that names its pictures."""
    job = order.job
    if isinstance(error, ImpastoError):
        text = str(error)
    elif isinstance(error, MemoryError) or "memory" in str(error).lower():
        text = "not enough memory; use a smaller size, or fewer workers"
    else:
        text = f"{type(error).__name__}: {error}"
    text = " ".join(text.split())
    if not any(name in text for name in (job.content, *job.styles, *job.settings.files)):
        text = f"{job.content} in {' + '.join(job.styles)}: {text}"
    return PictureFailed(order.number, text)


def _encode_and_store(
    order: WorkOrder, image: Image, seconds: float, steps: float
) -> PicturePainted | PictureFailed:
    began = time.perf_counter()
    job = order.job
    data = encode_picture(job.name or "result.png", image.to_numpy(), image.recipe)
    size = len(data)
    if order.store:
        try:
            storage_at(order.store).write(job.name, data)
        except OutputError as error:
            return PictureFailed(order.number, str(error), storage=True)
        data = b""
    seconds += time.perf_counter() - began
    return PicturePainted(
        order.number, data, size, json.dumps(image.recipe, sort_keys=True), seconds, steps
    )


def _open_model(file: str, part: str, shipped: Mapping[str, bytes]) -> Style:
    """The style of a model's file or URL, or of its bytes that came along."""
    source = open_input(file, shipped)
    if isinstance(source, str):
        return Style.of_model(load_model(source), part, file)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "model.safetensors")
        copy.write_bytes(source.read())
        try:
            return Style.of_model(load_model(copy), part, file)
        except WeightsError as error:
            raise WeightsError(str(error).replace(str(copy), file)) from None


def _file_stamps(name: str, order: WorkOrder) -> str:
    """What of a style's files tells whether they are still the same."""
    shipped = [data for one, data in order.shipped.items() if one.startswith(name)]
    return str(hash(tuple(shipped)) if shipped else file_facts(name))


def _seconds_of_all_levels(
    step: Step, spent: Mapping[int, list[float]], settings: Settings
) -> float:
    """How long a whole run takes, from a few steps of its first levels."""
    sizes = step.run.sizes
    seconds = 0.0
    for level, count in enumerate(level_iterations(len(sizes), settings)):
        known = min(level, max(spent))
        first, *others = spent[known]  # the first holds the targets
        scale = math.prod(sizes[level]) / math.prod(sizes[known])
        each = min(others, default=first)
        seconds += (first + each * (count - 1)) * scale
    return seconds

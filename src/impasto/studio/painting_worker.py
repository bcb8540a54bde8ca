"""The process that paints.

A process of its own can be ended in the middle of a step, gives all its memory back when it is,
and leaves the server alone if it dies. It takes one assignment after the other and sends back what
there is to see. It ends with the server.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from impasto.errors import ImpastoError
from impasto.machine.compute import Compute
from impasto.machine.processes import Parent
from impasto.network.weights import Weights, load_weights
from impasto.painting.step import Step
from impasto.painting.synthesis import Steps, iterate
from impasto.recording.film import FilmRecorder
from impasto.settings.model import Settings
from impasto.studio.failure_messages import failure_message
from impasto.studio.order_files import OrderFiles
from impasto.studio.painting_messages import (
    READY,
    STOP,
    STOPPING,
    JobFailed,
    JobFinished,
    JobProgress,
    StepShown,
    WorkerAssignment,
)
from impasto.studio.picture_folder import FILM_SIDE, write_frames, write_results
from impasto.studio.small_pictures import PREVIEW_SIDE, encode_small

SECONDS_BETWEEN_PREVIEWS = 0.25


def run_worker(server: Parent) -> None:
    """Paints what the server sends, for as long as there is a server."""
    compute: Compute = server.receive()
    weights = load_weights()
    _warm_up(weights, compute)
    server.send(READY)
    while True:
        message = server.receive()
        if isinstance(message, WorkerAssignment):  # a late STOP is of the assignment before
            server.send(_paint_or_explain(message, server, weights, compute))


def _warm_up(weights: Weights, compute: Compute) -> None:
    """Two steps at the coarsest level, so that the first user does not wait for libraries."""
    noise = np.random.default_rng(0).random((96, 128, 3), dtype=np.float32)
    settings = Settings(size=128, iterations=2)
    for step in iterate(noise, noise, settings, weights=weights, compute=compute):
        encode_small(step.image, PREVIEW_SIDE)


def _paint_or_explain(
    assignment: WorkerAssignment, server: Parent, weights: Weights, compute: Compute
) -> JobFinished | JobFailed:
    """Paints all parts. Whatever goes wrong becomes one line."""
    try:
        return _paint(assignment, server, weights, compute)
    except Exception as error:  # whoever waits wants words, and the others in the queue a process
        if not isinstance(error, ImpastoError):
            traceback.print_exc()  # to the server's log
        copies = f"{Path(assignment.files.content).parent}/"  # users do not know that folder
        return JobFailed(failure_message(error).replace(copies, ""))


def _paint(
    assignment: WorkerAssignment, server: Parent, weights: Weights, compute: Compute
) -> JobFinished:
    began, folder = time.monotonic(), assignment.folder
    film = None if folder is None else FilmRecorder(folder / "making.gif", max_side=FILM_SIDE)
    for number, part in enumerate(assignment.parts):
        sender = _StepSender(server, number, len(assignment.parts), began)
        with closing(_start_part(assignment.files, part, weights, compute)) as steps:
            for step in steps:
                if film is not None and folder is not None:
                    film.add(step)
                    if step.level_done:
                        write_frames(film.pictures(), folder)
                sender.send(step)
                stopped = server.receive_now() == STOP
                if stopped:
                    server.send(STOPPING)
                    break
            image = step.image
        if stopped:
            break
    if film is not None and folder is not None:
        write_frames(film.pictures(), folder)
        write_results(image, folder)
    return JobFinished(stopped, image.width, image.height, step.progress, time.monotonic() - began)


def _start_part(
    files: OrderFiles, part: Mapping[str, Any], weights: Weights, compute: Compute
) -> Steps:
    return iterate(
        files.content,
        list(files.styles) or None,
        Settings(**{**files.settings, **part}),
        regions=list(files.regions),
        weights=weights,
        compute=compute,
    )


class _StepSender:
    """Sends the steps of one part to the server, with previews not too often."""

    def __init__(self, server: Parent, part: int, parts: int, began: float) -> None:
        self._server, self._part, self._parts, self._began = server, part, parts, began
        self._latest_preview = 0.0

    def send(self, step: Step) -> None:
        now = time.monotonic()
        height, width = step.size
        progress = JobProgress(
            part=self._part,
            level=step.level,
            levels=step.levels,
            iteration=step.iteration,
            iterations=step.iterations,
            width=width,
            height=height,
            progress=(self._part + step.progress) / self._parts,
            loss=step.loss,
            seconds=now - self._began,
        )
        if now - self._latest_preview < SECONDS_BETWEEN_PREVIEWS and not step.level_done:
            self._server.send(StepShown(progress))
            return
        image = step.image
        preview, samples = encode_small(image, PREVIEW_SIDE), replace(image, bits=16).to_numpy()
        self._server.send(StepShown(progress, preview, samples, image.recipe, image.bits))
        self._latest_preview = time.monotonic()

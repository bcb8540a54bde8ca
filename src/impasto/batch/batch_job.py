"""What one picture of a batch is to be, and what became of it."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from impasto.batch.input_files import open_input, renamed_files
from impasto.errors import PictureError
from impasto.files import absolute_path, check_input, file_facts
from impasto.paths import is_url, local_path, without_part
from impasto.settings.model import Settings

if TYPE_CHECKING:
    from impasto.pictures.image import Image


@dataclass(frozen=True)
class BatchJob:
    """One picture to paint.

    Attributes:
        content: the picture to repaint, a file or a URL.
        styles: the styles, blended if several; each a file, a URL, or a folder, which is one style.
        settings: how it looks.
        name: of the result in the output folder, with ``/`` between folders; empty where results
            are not written.
        weights: the network's file; None for the embedded one.
        base: the file of the base network that paints at once; None for the embedded one.
    """

    content: str
    styles: tuple[str, ...]
    settings: Settings
    name: str = ""
    weights: str | None = None
    base: str | None = None

    @cached_property
    def key(self) -> str:
        """Equal for jobs that ask for the same: 64 hexadecimal digits.

        Settings that have their default do not count, so that a later version, which may have more
        of them, knows the job again.
        """
        settings = self.settings.model_dump(mode="json", exclude_defaults=True)
        files = [self.content, *self.styles, *self._networks]
        asked = [list(map(_absolute, files)), renamed_files(settings, _absolute), self.name]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def inputs(self) -> str:
        """What tells whether an input file has changed: sizes and times of all, as JSON."""
        return json.dumps([file_facts(name) for name in self.files])

    @property
    def files(self) -> list[str]:
        """All files and URLs that it reads."""
        return [*self.pictures, *self._networks]

    @property
    def pictures(self) -> list[str]:
        """Files, folders and URLs of the pictures and models that it reads."""
        return [self.content, *map(without_part, self.styles), *self.settings.files]

    @property
    def _networks(self) -> list[str]:
        return [name for name in (self.weights, self.base) if name is not None]

    def missing_picture(self) -> str:
        """Why it cannot be painted, as far as that can be told without opening a picture; or
        nothing.
        """
        for name in self.pictures:
            if not is_url(local_path(name)):
                try:
                    check_input(name)
                except PictureError as error:
                    return str(error)
        return ""


@dataclass(frozen=True)
class BatchResult:
    """What became of a job.

    Attributes:
        job: the job.
        error: why there is no picture, in one line; empty where there is one.
        seconds: how long the painting took; of an earlier run where it was done before.
        path: where the picture is, a file or a URL; None where results are not written.
        skipped: whether it was done before.
        data: the file itself, where results are not written.
    """

    job: BatchJob
    error: str = ""
    seconds: float = 0.0
    path: str | None = None
    skipped: bool = False
    data: bytes | None = None

    @cached_property
    def image(self) -> Image:
        """The picture, as it was written: 8 or 16 bits, with its recipe.

        Raises:
            PictureError: there is none, or it cannot be read.
        """
        from impasto.pictures.image import open_image

        if self.error:
            raise PictureError(f"{self.job.content}: there is no result: {self.error}")
        if self.data is not None:
            return open_image(io.BytesIO(self.data))
        assert self.path is not None  # it is either written or here
        return open_image(open_input(self.path))


def errors_once(errors: Iterable[str]) -> list[str]:
    """Each error once, with the number of its pictures where they are several."""
    return [
        error if count == 1 else f"{error} ({count} pictures)"
        for error, count in Counter(errors).items()
    ]


def _absolute(name: str) -> str:
    path = local_path(name)
    return path if is_url(path) else absolute_path(path)


def sorted_by_style(jobs: Sequence[BatchJob]) -> list[BatchJob]:
    """In an order in which a worker meets each style once: its targets are made but once."""
    places = {styles: place for place, styles in enumerate(dict.fromkeys(j.styles for j in jobs))}
    return sorted(jobs, key=lambda job: places[job.styles])

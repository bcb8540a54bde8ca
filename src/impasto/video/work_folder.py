"""Where a film's painted frames lie until the film is written: what outlives a crash.

Beside the film ``OUT`` lies ``OUT.impasto`` with a file that says what is painted, a picture of 16
bits for each frame, and for each shot the marks of its frames, by which they are read again, and a
ledger with a line for each of them. A frame is written whole, under another name first, and only
then noted. Each shot has a ledger of its own, so that several processes may paint shots at the same
time. One run alone uses the folder: it holds a lock there, which ends with its process.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from impasto.errors import OutputError
from impasto.files import PATH_ERRORS, reason_of, replacing
from impasto.pictures.encoding import encode_picture
from impasto.pictures.image import open_image
from impasto.pictures.resizing import Size
from impasto.video.mask_film import Marks
from impasto.video.shots import Cutting, Flash, Shot
from impasto.video_files.video import Mark

ENDING = ".impasto"
_PLAN, _SHOTS, _MEMORY, _LOCK = "film.json", "shots.json", "memory.json", "film.lock"
_LEDGERS = "shot-*.jsonl"
_SECONDS_OF_TRYING = 1.0  # a folder that is just being removed is soon free
_BYTES_PER_PIXEL = 6  # of a painted frame, 16 bits and three channels, as PNG: at most
_OWN = re.compile(
    r"film\.(json|lock)|shots\.json|memory\.json|marks-\d{6,}\.json|shot-\d{6,}\.jsonl|\d{6,}\.png"
    r"|\.impasto-[0-9a-f]{16}\.tmp\.\w+"
)
"""Names of the files in it, and of those that a killed process leaves."""


@dataclass(frozen=True)
class FrameNote:
    """What the ledger says of a painted frame.

    Attributes:
        number: of the frame in the film.
        shot: number of the first frame of its shot, or of the flash within one that it belongs to.
        usual_loss: what frames of the shot reach, by which those that follow are judged.
        losses: the frame's weighted loss terms by name.
        evaluations: of the objective.
        seconds: how long it took, by kind of work.
        warping_error: mean squared distance to the frame before, warped, where the motion is known;
            None for a frame that is painted as a still.
    """

    number: int
    shot: int
    usual_loss: float
    losses: Mapping[str, float] = field(default_factory=dict)
    evaluations: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    warping_error: float | None = None

    @property
    def is_still(self) -> bool:
        """Whether its frame is painted as a still: a shot's first one, or that of a flash that is
        painted for itself.
        """
        return self.number == self.shot


@dataclass(frozen=True)
class WorkFolder:
    """The folder of a film's painted frames.

    Attributes:
        path: where it is.
    """

    path: Path

    @classmethod
    def beside(cls, film: Path) -> WorkFolder:
        """That of a film."""
        return cls(film.with_name(film.name + ENDING))

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Makes the folder where there is none, and keeps all other runs out of it.

        The system holds the lock for the process, and takes it back however that ends. Work that
        fails or is broken off before there is a painted frame leaves no folder.

        Raises:
            OutputError: another run is at work there, the folder is somebody else's, or it cannot
                be made.
        """
        # A generator may be closed by another thread than that which began it.
        lock = FileLock(self.path / _LOCK, thread_local=False)
        with self._errors_named():
            self.path.mkdir(parents=True, exist_ok=True)  # the folder of pictures in a row, too
            if not all(_OWN.fullmatch(file.name) for file in self.path.iterdir()):
                raise OutputError(
                    f"{self.path}: holds files that are not of impasto, and painted frames need "
                    "this folder; move these files, or choose another name for the film"
                )
            try:
                lock.acquire(timeout=_SECONDS_OF_TRYING)
            except Timeout:
                raise OutputError(
                    f"{self.path}: another run is painting this film; wait until it ends, or "
                    "choose another name for the film"
                ) from None
        try:
            yield
        except BaseException:
            if not self._has_frames():
                self.remove()
            raise
        finally:
            lock.release()
            with contextlib.suppress(OSError):
                self.path.rmdir()  # where an open file could not be removed, and nothing is left

    def prepare(self, identity: Mapping[str, Any]) -> None:
        """Begins a film in the folder, or goes on with what is there.

        Where no frame is painted yet, all that is there of another film is removed.

        Args:
            identity: all that the frames depend on, as JSON can carry it.

        Raises:
            OutputError: the frames that are there are of something else, or nothing can be written.
        """
        wanted = json.loads(json.dumps(identity, sort_keys=True))
        with self._errors_named():
            found = self._plan()
            changed = sorted(key for key in wanted if found.get(key) != wanted[key])
            if not changed:
                return
            if self._has_frames():
                raise OutputError(
                    f"{self.path}: holds frames of another film or other settings "
                    f"({', '.join(changed)}); delete the folder, or choose another name for the "
                    "film"
                )
            self._clear()
            _write(self.path / _PLAN, json.dumps(wanted, indent=1, sort_keys=True).encode())

    def memory(self, wanted: int) -> int:
        """Bytes that painting may take: those that were wanted first.

        Args:
            wanted: what counts if nothing was wanted before.

        Raises:
            OutputError: it cannot be written down.
        """
        file = self.path / _MEMORY
        with self._errors_named():
            if not file.exists():
                _write(file, json.dumps(wanted).encode())
            return int(json.loads(file.read_text(encoding="utf-8")))

    def cutting(self) -> Cutting | None:
        """The film's shots; None where they have not been found yet."""
        file = self.path / _SHOTS
        if not file.exists():
            return None
        found = json.loads(file.read_text(encoding="utf-8"))
        first, last = map(Fraction, found["span"])
        return Cutting([_shot(*shot) for shot in found["shots"]], (first, last))

    def keep_cutting(self, cutting: Cutting, marks: Sequence[Mapping[str, Mark]] = ()) -> None:
        """Keeps the film's shots.

        Args:
            cutting: the shots.
            marks: of each frame from the first shot's on, see `Marks`.

        Raises:
            OutputError: they cannot be written.
        """
        found = {
            "shots": [astuple(shot) for shot in cutting.shots],
            "span": [str(time) for time in cutting.span],
        }
        with self._errors_named():
            for shot in cutting.shots if marks else ():
                first = cutting.shots[0].start
                own = marks[shot.start - first : shot.stop - first]
                rows = {
                    key: [(str(one[key].time), one[key].digest) for one in own] for key in own[0]
                }
                _write(self._marks_file(shot), json.dumps(rows).encode())
            _write(self.path / _SHOTS, json.dumps(found).encode())

    def marks(self, shot: Shot) -> Marks:
        """Those of a shot's frames; empty where none were kept, or their file is damaged.

        Without them the film is read from its beginning: the same frames, later.
        """
        file = self._marks_file(shot)
        if not file.exists():
            return {}
        try:
            rows = json.loads(file.read_bytes())
            return {
                key: [Mark(Fraction(time), digest) for time, digest in own]
                for key, own in rows.items()
            }
        except (ValueError, TypeError, AttributeError, ZeroDivisionError):
            return {}

    def check_space(self, shots: Sequence[Shot], size: Size) -> None:
        """Finds out whether the disk holds the frames that are still to come.

        Raises:
            OutputError: it does not.
        """
        left = sum(shot.stop - shot.start - len(self.notes(shot)) for shot in shots)
        needed, free = (
            left * size[0] * size[1] * _BYTES_PER_PIXEL,
            shutil.disk_usage(self.path).free,
        )
        if needed > free:
            raise OutputError(
                f"{self.path}: {left} frames may take {needed / 1e9:.1f} GB there until the film "
                f"is written, and the disk has {free / 1e9:.1f} GB free; make space, or write to "
                "another disk"
            )

    def notes(self, shot: Shot) -> list[FrameNote]:
        """Of the frames of a shot that are painted, in order, up to the first that is missing."""
        file = self._ledger(shot)
        found: list[FrameNote] = []
        if not file.exists():
            return found
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                note = FrameNote(**json.loads(line))
            except (ValueError, TypeError):  # the line at which it was killed
                break
            if note.number != shot.start + len(found) or not self.frame_file(note.number).exists():
                break
            found.append(note)
        return found

    def add(self, shot: Shot, note: FrameNote, painted: Tensor) -> None:
        """Keeps a painted frame, (1, 3, H, W), 0..1, a multiple of 1 / 65535.

        Raises:
            OutputError: it cannot be written.
        """
        pixels = (painted[0].permute(1, 2, 0) * 65535).round().numpy().astype(np.uint16)
        with self._errors_named():
            _write(self.frame_file(note.number), encode_picture("frame.png", pixels, {}))
            with self._ledger(shot).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(note)) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def trim(self, shot: Shot, notes: int) -> None:
        """Leaves so many lines in a shot's ledger: a line that was cut off must not stay."""
        file = self._ledger(shot)
        if file.exists():
            lines = file.read_text(encoding="utf-8").splitlines()[:notes]
            with self._errors_named():
                _write(file, "".join(f"{line}\n" for line in lines).encode())

    def painted(self, number: int) -> Tensor:
        """A painted frame, (1, 3, H, W), 0..1, exactly as it was added."""
        return open_image(self.frame_file(number)).pixels.to(torch.float32)

    def frame_file(self, number: int) -> Path:
        """The picture of a frame."""
        return self.path / f"{number:06}.png"

    def remove(self) -> None:
        """Removes it, when the film is in its place; what somebody has put there stays."""
        with contextlib.suppress(OSError):
            self._clear()
            (self.path / _LOCK).unlink(missing_ok=True)  # last: it keeps other runs out
            self.path.rmdir()

    def _plan(self) -> dict[str, Any]:
        """What its frames depend on; empty where that is not known."""
        file = self.path / _PLAN
        try:
            found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _has_frames(self) -> bool:
        """Whether a painted frame is noted in it."""
        return any(file.stat().st_size for file in self.path.glob(_LEDGERS))

    def _clear(self) -> None:
        """Removes all that is impasto's but the lock."""
        for file in list(self.path.iterdir()):
            if _OWN.fullmatch(file.name) and file.name != _LOCK:
                file.unlink()

    def _ledger(self, shot: Shot) -> Path:
        return self.path / f"shot-{shot.start:06}.jsonl"

    def _marks_file(self, shot: Shot) -> Path:
        return self.path / f"marks-{shot.start:06}.json"

    @contextlib.contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except PATH_ERRORS as error:
            raise OutputError(f"{self.path}: cannot be used ({reason_of(error)})") from error


def _shot(start: int, stop: int, flashes: Sequence[Sequence[int]] = ()) -> Shot:
    """A shot as JSON has it."""
    return Shot(start, stop, tuple(Flash(first, end, bool(own)) for first, end, own in flashes))


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)

"""What was painted and judged, as JSON Lines: one line for each picture, as it comes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.quality.bands import Bands
from benchmarks.quality.metrics import Distances, Judge
from impasto.errors import OutputError

Key = tuple[str, str, int, float]
"""Pair, method, size and share of the iterations."""

_DISTANCES = tuple(field.name for field in fields(Distances))


@dataclass(frozen=True)
class Record:
    """One picture.

    Attributes:
        pair: name of the pair.
        method: name of the method.
        size: long side in pixels.
        iterations_share: share of the method's iterations that was done.
        settings: all of them; None for the references, which nobody paints.
        seconds: of painting, without the start of the process; None for the references.
        peak_mib: most main memory of the painting process in MiB; None for the references.
        distances: what the judge says.
        machine: what the seconds depend on.
        bands: its detail beside the style's; None if it was judged before these were known.
    """

    pair: str
    method: str
    size: int
    iterations_share: float
    settings: dict[str, Any] | None
    seconds: float | None
    peak_mib: float | None
    distances: Distances
    machine: dict[str, Any]
    bands: Bands | None = None

    @property
    def key(self) -> Key:
        """A later record with the same key replaces this one."""
        return self.pair, self.method, self.size, self.iterations_share

    def judged(self, judge: Judge, picture: Tensor) -> Record:
        """The same picture, (1, 3, H, W), sRGB 0..1, judged anew."""
        return replace(self, distances=judge(picture), bands=judge.bands(picture))


class Records:
    """A file of records in an output folder, and the pictures beside it.

    A line that was broken off is passed over; of two records with one key the later counts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "results.jsonl"

    def picture(self, key: Key) -> Path:
        """Where a picture is kept."""
        pair, method, size, share = key
        return self._folder(size, share) / pair / f"{method}.png"

    def target(self, pair: str, size: int, share: float, role: str) -> Path:
        """Where ``role``, content or style, of a pair is kept as the judge sees it."""
        return self._folder(size, share) / pair / f"_{role}.png"

    def make_folder(self, pair: str, size: int, share: float) -> None:
        """Makes the folder of a pair's pictures.

        Raises:
            OutputError: it cannot be made.
        """
        folder = self._folder(size, share) / pair
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error

    def read(self) -> dict[Key, Record]:
        """All records, in the order in which their keys first came."""
        if not self.file.exists():
            return {}
        records: dict[Key, Record] = {}
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                values = json.loads(line)
                # A distance that the judge did not know then is NaN until it judges anew.
                known = {x: values["distances"].get(x, math.nan) for x in _DISTANCES}
                bands = values.get("bands") and Bands(*map(tuple, values["bands"].values()))
                record = Record(**{**values, "distances": Distances(**known), "bands": bands})
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
            records[record.key] = record
        return records

    def append(self, records: Iterable[Record]) -> None:
        """Adds records to the file.

        Raises:
            OutputError: it cannot be written.
        """
        text = "".join(json.dumps(asdict(x), allow_nan=False) + "\n" for x in records)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.file.open("a+b") as file:
                if _is_broken_off(file):
                    text = "\n" + text
                file.write(text.encode())
        except OSError as error:
            raise OutputError(f"{self.file}: cannot be written ({error.strerror})") from error

    def _folder(self, size: int, share: float) -> Path:
        return self.folder / (f"{size}" if share == 1 else f"{size}-share-{share:g}")


def _is_broken_off(file: Any) -> bool:
    end = file.seek(0, 2)
    if not end:
        return False
    file.seek(end - 1)
    return bool(file.read(1) != b"\n")

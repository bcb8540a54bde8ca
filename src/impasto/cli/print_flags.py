"""Flags of prints, and what is said before one is painted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.progress import duration
from impasto.errors import SettingsError
from impasto.messages import counted
from impasto.pictures.formats import depth_refusal
from impasto.settings.groups import FILES, SIZE
from impasto.settings.print_size import DPI, PrintSize, print_size

if TYPE_CHECKING:
    from impasto.painting.cluster_estimate import ClusterEstimate
    from impasto.painting.planning import RunEstimate
    from impasto.painting.synthesis import PreparedRun
    from impasto.tasks.prints import Print

_WORTH_SAYING = 0.005
"""Share of a photograph above which it is said that it is cut off."""


@Parameter(name="*", group=SIZE.title)
@dataclass(frozen=True, kw_only=True)
class PrintFlags:
    """The sheet that a picture is painted for, in place of ``--size``."""

    sheet: Annotated[str | None, Parameter(name="--print", metavar="SHEET")] = None
    """Paint for a sheet: A3, letter, 60x40cm, 30x20in.
    A single length, such as 60cm, is the long side. The photograph fills the sheet, which lies as
    it does, and what does not fit is cut off; see --dpi, --bleed and --fit."""

    dpi: Annotated[
        float | None, Parameter(metavar="N", show_default=str(round(DPI)), show=False)
    ] = None
    """Pixels per inch of the print."""

    bleed: Annotated[str | None, Parameter(metavar="LENGTH", show=False)] = None
    """What is printed beyond every edge, to be cut off, such as 3mm."""

    fit: Annotated[bool, Parameter(show=False)] = False
    """Leave a margin on the sheet, and all of the photograph in the print."""

    bits: Annotated[int | None, Parameter(metavar="8|16", group=FILES.title, show=False)] = None
    """Depth of the file, in PNG and TIFF. The photograph's own if not given."""

    @property
    def size(self) -> PrintSize | None:
        """The print; None where none is asked for.

        Raises:
            SettingsError: a sheet, a length or a number that cannot be used, or only one without
                the sheet.
        """
        if self.sheet is not None:
            dpi = DPI if self.dpi is None else self.dpi
            return print_size(self.sheet, dpi, self.bleed or 0, fit=self.fit)
        given = {"dpi": self.dpi, "bleed": self.bleed, "fit": self.fit or None}
        for name, value in given.items():
            if value is not None:
                raise SettingsError(
                    f"--{name}: belongs to a print; give the sheet with --print, such as --print A3"
                )
        return None

    def check(self, given: dict[str, Any], own: Mapping[str, Any], output: str) -> None:
        """Checks them beside the other flags; takes the size of a recipe out of ``given``.

        Args:
            given: settings by name.
            own: those of single flags alone.
            output: the file to write.

        Raises:
            SettingsError: a size in pixels beside the print, or a depth that the file cannot have.
        """
        if self.size is not None:
            if "size" in own:
                raise SettingsError(
                    f"--size {own['size']} and --print {self.sheet} exclude each other: a print "
                    "has the pixels of its sheet; leave one of them out"
                )
            given.pop("size", None)
        if self.bits not in (None, 8, 16):
            raise SettingsError(f"bits = {self.bits}: should be 8 or 16")
        refusal = depth_refusal(output, self.bits)
        if refusal:
            raise SettingsError(f"--{refusal}")

    def keywords(self) -> dict[str, Any]:
        """The keyword ``print_size`` of `iterate` and its like, if a print is asked for."""
        return {} if self.size is None else {"print_size": self.size}


def print_words(printed: Print, *, of_photograph: bool = True) -> str:
    """What a print will be, in a line, and what of a photograph is not on it."""
    height, width = printed.shape
    down, across = (side / 10 for side in printed.size.millimetres(printed.photo))
    lost = printed.lost
    which, share = ("height", lost[0]) if lost[0] >= lost[1] else ("width", lost[1])
    cut = ""
    if of_photograph and share > _WORTH_SAYING:
        cut = f"; {share:.0%} of the photograph's {which} is cut off, half on each side"
    return f"{printed.size}: {across:.1f} x {down:.1f} cm, {width} x {height} pixels{cut}"


def run_words(prepared: PreparedRun, estimate: RunEstimate) -> str:
    """What a run is expected to take, in a line."""
    took, memory = _about(estimate.seconds), f"{estimate.peak / 1e9:.1f} GB of memory"
    return f"{took} on {prepared.run.machine}, with up to {memory}"


def cluster_words(estimate: ClusterEstimate) -> str:
    """What a run on a cluster is expected to take, in a line."""
    took, workers = _about(estimate.seconds), counted(estimate.workers, "worker")
    peak = f"this process takes up to {estimate.peak / 1e9:.1f} GB"
    each = f", and each of {workers} up to {estimate.worker_peak / 1e9:.1f} GB"
    shared = each if estimate.worker_peak else "; no level is large enough for the cluster"
    return f"{took}; {peak}{shared}"


def _about(seconds: float) -> str:
    return f"about {duration(60 * round(seconds / 60) if seconds > 600 else seconds)}"

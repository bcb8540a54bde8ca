"""Flags that do not change how a picture looks: where results go, where it runs, what is said."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from impasto.errors import OutputError, PictureError, SettingsError
from impasto.files import STANDARD_STREAM, check_input
from impasto.paths import is_url, local_path
from impasto.settings.groups import FILES, MACHINE
from impasto.settings.limits import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from cyclopts import Token

    from impasto.machine.compute import Compute
    from impasto.pictures.image import Image


def _read_path(_: object, tokens: Sequence[Token]) -> Path:
    path = local_path(tokens[0].value)
    if is_url(path) and not os.path.lexists(path):
        raise SettingsError(f"{path}: is a URL; give a file or folder of this computer")
    return Path(path)


FilePath = Annotated[Path, Parameter(converter=_read_path)]
"""A file or folder as it is typed, with ``~`` or as a ``file://`` URL too."""


@Parameter(name="*", group=FILES.title)
@dataclass(frozen=True, kw_only=True)
class OutputFlags:
    """Where the picture goes and what is said about it."""

    output: Annotated[
        str | None, Parameter(alias="-o", metavar="OUT", allow_leading_hyphen=True)
    ] = None
    """The picture to write: .png, .jpg, .webp or .tif. - is standard output, as PNG."""

    overwrite: bool = False
    """Replace files that exist already."""

    quiet: bool = False
    """Say nothing but errors."""

    json: bool = False
    """Print one JSON object at the end. An error is one JSON object on standard error."""

    def name(self, default: str) -> str:
        """The picture to write; ``default`` where ``-o`` is not given."""
        return default if self.output is None else local_path(self.output)

    def target(self, default: str, inputs: Iterable[str]) -> str:
        """The picture to write, checked before the work starts.

        Args:
            default: the name where ``-o`` is not given.
            inputs: the run's input pictures.

        Raises:
            OutputError: it cannot be written, exists already, or is one of the inputs.
        """
        from impasto.pictures.writing import check_output

        name = self.name(default)
        check_output(name, inputs=inputs, overwrite=self.overwrite)
        if name == STANDARD_STREAM and self.json:
            raise OutputError(
                "-o - and --json both write to standard output; give the picture a file name"
            )
        return name


@Parameter(name="*", group=FILES.title)
@dataclass(frozen=True, kw_only=True)
class TraceFlags:
    """What else is kept of the run."""

    record: Annotated[FilePath | None, Parameter(metavar="FILE")] = None
    """Film of the picture's making: .gif, or .mp4 with impasto[video]."""

    plot: Annotated[FilePath | None, Parameter(metavar="FILE")] = None
    """Plot of every loss term: .png, .svg or .pdf; needs impasto[plot]."""

    log: Annotated[FilePath | None, Parameter(metavar="FILE")] = None
    """Every loss term of every iteration, as JSON Lines."""

    def files(self) -> dict[str, str]:
        """The files by flag name, of those that were asked for."""
        named = {"record": self.record, "plot": self.plot, "log": self.log}
        return {name: str(path) for name, path in named.items() if path is not None}


@Parameter(name="*", group=MACHINE.title)
@dataclass(frozen=True, kw_only=True)
class ComputeFlags:
    """Where the work is done, and how exactly."""

    device: Annotated[str, Parameter(metavar="NAME")] = "auto"
    """Where it runs: auto, cpu, cuda, cuda:1, mps..."""

    precision: Annotated[str, Parameter(metavar="NAME")] = "auto"
    """How exactly the network computes: auto, float32, bfloat16 or tf32.
    The last is for NVIDIA devices."""

    threads: Annotated[int | None, Parameter(metavar="N")] = None
    """Threads of the processor. If not given all cores, or OMP_NUM_THREADS."""


@Parameter(name="*", group=MACHINE.title)
@dataclass(frozen=True, kw_only=True)
class MachineFlags(ComputeFlags):
    """Where and with what the work is done; no part of the recipe."""

    weights: Annotated[FilePath | None, Parameter(metavar="FILE", show=False)] = None
    """Another VGG-19 than the embedded one: .safetensors, .pth or .pt."""

    memory: Annotated[str | None, Parameter(metavar="SIZE")] = None
    """Memory a run may take, such as 2GB. At least 800MB; a third of what is free if not given."""

    max_pixels: Annotated[int, Parameter(metavar="N", show=False)] = DEFAULT_MAX_PIXELS
    """Largest input picture to accept, in pixels."""

    def check(self) -> None:
        """Checks what can be checked without torch.

        Raises:
            SettingsError: a number out of range.
        """
        if self.threads is not None and self.threads < 1:
            raise SettingsError(f"threads = {self.threads}: must be 1 or more")
        if self.max_pixels < 1:
            raise SettingsError(f"max_pixels = {self.max_pixels}: must be 1 or more")

    def compute(self) -> Compute:
        """The same for Python's functions."""
        from impasto.machine.compute import Compute

        return Compute(self.device, self.precision, self.threads, self.memory, self.max_pixels)

    def prepare(self) -> dict[str, Any]:
        """Sets the process up. Returns the keywords ``weights`` and ``compute`` of every run."""
        compute = self.compute()
        compute.machine()  # raises before pictures are opened
        if self.weights is None:
            return {"weights": None, "compute": compute}
        from impasto.network.weights import load_weights

        return {"weights": load_weights(self.weights), "compute": compute}

    def open(self, source: str) -> Image:
        """An input picture.

        Raises:
            PictureError: as `impasto.open_image`.
        """
        from impasto.pictures.image import open_image

        return open_image(source, max_pixels=self.max_pixels)


@Parameter(name="*", group=MACHINE.title)
@dataclass(frozen=True, kw_only=True)
class ClusterFlags:
    """Who works on the tiles of one large picture."""

    engine: Annotated[Literal["local", "ray"], Parameter(metavar="NAME")] = "local"
    """Who paints, local or ray. With ray a cluster works on the tiles of large levels, which needs
    impasto[cluster]; --threads and --memory are then those of one worker."""

    address: Annotated[str | None, Parameter(metavar="HOST:PORT", show=False)] = None
    """The cluster of --engine ray. RAY_ADDRESS if not given, else one on this machine."""

    workers: Annotated[int | None, Parameter(metavar="N", show=False)] = None
    """Workers of --engine ray. As many as fit on the cluster if not given."""

    def check(self) -> None:
        """Checks what fits together.

        Raises:
            SettingsError: an address or workers without a cluster, or less than one worker.
        """
        for flag, value in (("--address", self.address), ("--workers", self.workers)):
            if value is not None and self.engine != "ray":
                raise SettingsError(f"{flag} needs --engine ray; leave it out")
        if self.workers is not None and self.workers < 1:
            raise SettingsError(f"workers = {self.workers}: must be 1 or more")

    def compute(self, compute: Compute) -> Compute:
        """``compute`` with these."""
        return replace(compute, engine=self.engine, address=self.address, workers=self.workers)


@Parameter(name="*", group=MACHINE.title)
@dataclass(frozen=True, kw_only=True)
class NetworkFlags(MachineFlags):
    """`MachineFlags` of commands that paint at once, too."""

    base: Annotated[FilePath | None, Parameter(metavar="FILE", show=False)] = None
    """Another base network than the embedded one, for --preset instant: .safetensors."""

    def prepare(self) -> dict[str, Any]:
        """As of `MachineFlags`; and ``base``, if it is given."""
        return {**super().prepare(), **({} if self.base is None else {"base": self.base})}


def check_inputs(inputs: Sequence[str]) -> None:
    """Finds the commonest mistakes at once, before torch is imported.

    Raises:
        PictureError: a file that is not there or cannot be told to be, or standard input for more
            than one picture.
    """
    if inputs.count(STANDARD_STREAM) > 1:
        raise PictureError("standard input (-) holds one picture; give the other one as a file")
    for name in inputs:
        if name != STANDARD_STREAM:
            check_input(name)


def stem(source: str) -> str:
    """What an input is called in the name of a result."""
    return "stdin" if source == STANDARD_STREAM else Path(local_path(source)).stem

"""Flags of runs that go on where another one was left."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from impasto.cli.run_flags import FilePath, OutputFlags
from impasto.errors import PictureError
from impasto.files import STANDARD_STREAM, is_file
from impasto.messages import shell_word
from impasto.settings.groups import FILES
from impasto.settings.model import Settings
from impasto.settings.presets import command_defaults

if TYPE_CHECKING:
    from impasto.machine.compute import Machine
    from impasto.painting.checkpoint import Checkpoint
    from impasto.painting.checkpoint_writer import CheckpointWriter


@Parameter(name="*", group=FILES.title)
@dataclass(frozen=True, kw_only=True)
class CheckpointFlags:
    """How a run outlives its process."""

    checkpoint: Annotated[FilePath | None, Parameter(metavar="FILE")] = None
    """Keep the run's state here every half minute or so, for --resume."""

    resume: Annotated[FilePath | None, Parameter(metavar="FILE")] = None
    """Go on from this checkpoint, with its settings. It may be that of --checkpoint too."""

    @functools.cached_property
    def _saved(self) -> Checkpoint | None:
        if self.resume is None:
            return None
        from impasto.painting.checkpoint import load_checkpoint

        return load_checkpoint(self.resume)

    def settings(self, command: str, given: Mapping[str, Any]) -> Settings:
        """All settings of the run: those given, or those of the run that is resumed.

        Args:
            command: the command they were given to.
            given: settings by name.

        Raises:
            SettingsError: a bad setting, or one that the run to resume does not have.
            CheckpointError: no checkpoint, or that of another command.
        """
        # Refuses what the command cannot do at all before a file is opened.
        defaults = command_defaults(command, str(given.get("preset", "default")))
        if self._saved is not None:
            return self._saved.settle(command, None, given)
        return Settings(**{**defaults, **given})

    def over_its_own(self, output: OutputFlags, default: str) -> OutputFlags:
        """``output``, allowed to replace the picture that the run to resume left unfinished.

        Args:
            output: as given.
            default: the picture's name where ``-o`` is not given.
        """
        name = output.name(default)
        if self._saved is None or name == STANDARD_STREAM or not is_file(name):
            return output
        from impasto.pictures.reading import read_recipe

        try:
            recipe = read_recipe(name)
        except PictureError:
            return output
        facts = self._saved.facts
        own = (facts.command, facts.settings, facts.weights) == tuple(
            recipe.get(key) for key in ("command", "settings", "weights")
        )
        return replace(output, overwrite=True) if own and "progress" in recipe else output

    def prepare(self, *, overwrite: bool) -> dict[str, Any]:
        """The keywords ``checkpoint`` and ``resume`` of a run.

        Raises:
            OutputError: the checkpoint cannot be written there.
        """
        from impasto.painting.checkpoint_writer import CheckpointWriter

        kept = self.checkpoint and CheckpointWriter(self.checkpoint, overwrite=overwrite)
        self._writers.extend([kept] if kept else [])
        return {"checkpoint": kept, "resume": self._saved}

    @functools.cached_property
    def _writers(self) -> list[CheckpointWriter]:
        """That of the run, once there is one."""
        return []

    def places(self) -> dict[str, Path]:
        """Where the file is by flag name, which may be beside the one that was asked for."""
        return {"checkpoint": self._writers[0].path} if self._writers else {}

    def files(self) -> dict[str, str]:
        """The file by flag name, if it was asked for."""
        return {} if self.checkpoint is None else {"checkpoint": str(self.checkpoint)}

    def how_to_go_on(self) -> str:
        """What to tell after an interruption."""
        place = self.places().get("checkpoint")
        kept = place is not None and is_file(place)
        return f"; go on with --resume {shell_word(str(place))}" if kept else ""

    def caveat(self, machine: Machine) -> str:
        """What to tell where a run was resumed on another machine, or with other threads."""
        where = self._saved and self._saved.facts.elsewhere(machine)
        return f"; begun on {where}: not to the last bit what it had been there" if where else ""

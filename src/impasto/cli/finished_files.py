"""Files of a run that is done, where they cannot be put where they were asked for any more.

A run takes minutes or hours, and the world does not stand still: a file of the same name may have
appeared, a folder have vanished, a disk be full. What was painted is then kept elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import OutputError
from impasto.files import MAKE_IT_FIRST, STANDARD_STREAM, appeared, free_name, path_of

if TYPE_CHECKING:
    from impasto.pictures.image import Image


def save_somewhere(
    picture: Image, target: str, *, overwrite: bool, bits: int | None = None
) -> tuple[str, str]:
    """Writes a picture to its target; if that cannot be done any more, elsewhere.

    Elsewhere is, by turns, a free name beside the target, the current folder, and a new folder
    among the system's temporary files.

    Args:
        picture: the picture.
        target: where it was asked for; ``-`` is standard output. Whoever stopped reading from it
            wanted no more, and there is no elsewhere.
        overwrite: whether a file there may be replaced.
        bits: depth of the file; None for the picture's own.

    Returns:
        Where it is, and what to say of it if that is not its target; else empty.

    Raises:
        OutputError: it cannot be written anywhere; its exit code is 1.
    """
    try:
        picture.save(target, overwrite=overwrite, bits=bits)
    except OutputError as error:
        error.exit_code = 1  # nothing impossible was asked for
        if isinstance(error.__cause__, BrokenPipeError):
            raise
        to_stream = target == STANDARD_STREAM
        for place in _other_places(Path("picture.png") if to_stream else path_of(target)):
            with contextlib.suppress(OutputError):
                picture.save(place, overwrite=False, bits=bits)
                if not (to_stream or overwrite) and os.path.lexists(path_of(target)):
                    return str(place), appeared(target, "picture", place)
                reason = str(error).removesuffix(MAKE_IT_FIRST)
                return str(place), f"{reason}; the picture is in {place}"
        raise
    return target, ""


def _other_places(target: Path) -> Iterator[Path]:
    """Names that are free, each in a folder that is likelier to be written to than the last."""
    yield free_name(target)
    with contextlib.suppress(OSError):  # the current folder may be gone as well
        yield free_name(Path.cwd() / target.name)
    with contextlib.suppress(OSError):
        folder = Path(tempfile.mkdtemp(prefix="impasto-"))
        try:
            yield folder / f"picture{target.suffix}"
        finally:
            if not any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)

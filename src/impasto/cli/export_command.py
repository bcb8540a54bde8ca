"""The command that writes models for other programs: export."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from impasto.cli.run_flags import FilePath
from impasto.cli.tables import AsJson, print_json
from impasto.messages import printable


def export(
    model: Annotated[
        FilePath, Parameter(name="MODEL", help="A model: a file that impasto train wrote.")
    ],
    /,
    *,
    output: Annotated[
        FilePath,
        Parameter(alias="-o", metavar="OUT", help="The file to write: .onnx, or .html (a page)."),
    ],
    precision: Annotated[
        Literal["float32", "float16"],
        Parameter(help="Of an .onnx: float16 is half the size, and faster on GPUs."),
    ] = "float32",
    overwrite: Annotated[bool, Parameter(help="Replace a file that exists already.")] = False,
    json: AsJson = False,
) -> None:
    """Behind ``impasto export``; see `COMMANDS`."""
    from impasto.exporting.export import export as write

    target = write(model, output, precision=precision, overwrite=overwrite)
    size = target.stat().st_size
    if json:
        print_json({"output": str(target), "bytes": size})
        return
    print(printable(f"{target}: {size / 1e6:.1f} MB"))

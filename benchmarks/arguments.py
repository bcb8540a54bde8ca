"""What the benchmarks share on the command line, and the pictures they name."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from drive import DriveError
from impasto import Compute, Image, ImpastoError, load_weights, open_image
from impasto.errors import SettingsError
from impasto.files import check_file
from impasto.pictures.resizing import fit, resize
from impasto.tasks.starts import white_noise

ROOT = Path(__file__).resolve().parents[1]
PRESET = "neural-style"


class BenchmarkError(ImpastoError):
    """A benchmark that failed although its input was good."""

    exit_code = 1


def exit_code_of(program: str, work: Callable[[], None]) -> int:
    """Does the work; an error becomes one line and its exit code, as in impasto's own command."""
    try:
        work()
    except (ImpastoError, DriveError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    return 0


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        """Leaves with exit code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def whole_number(least: int) -> Callable[[str], int]:
    """What reads an option that is a whole number, ``least`` or more."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, {least} or more")
        return number

    return read


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that both benchmarks have."""
    parser.add_argument(
        "--content",
        type=Path,
        default=ROOT / "examples" / "photographs" / "china.jpg",
        help="picture to repaint (default: examples/photographs/china.jpg)",
    )
    parser.add_argument(
        "--style",
        type=Path,
        default=ROOT / "examples" / "styles" / "flow.jpg",
        help="picture that gives the style (default: examples/styles/flow.jpg)",
    )
    parser.add_argument(
        "--size", type=whole_number(32), default=512, help="long side in pixels (default: 512)"
    )
    parser.add_argument(
        "--precision",
        default="auto",
        help="number format of impasto's encoder, as impasto's own --precision (default: auto)",
    )
    parser.add_argument(
        "--environment",
        type=Path,
        default=ROOT / ".benchmarks" / "pastiche",
        help="folder of pastiche's virtual environment (default: .benchmarks/pastiche)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")


def check_outputs(*files: Path | None) -> None:
    """Finds out before the work whether the files can be written.

    Raises:
        OutputError: one of them cannot.
    """
    for file in files:
        if file is not None:
            check_file(file, str(file))


def compute_with(precision: str) -> Compute:
    """The CPU, which all peers have, at a precision.

    Raises:
        SettingsError: a precision that impasto does not know.
    """
    chosen: dict[str, Any] = {} if precision == "auto" else {"precision": precision}
    try:
        return Compute(device="cpu", **chosen)
    except TypeError:
        raise SettingsError("this impasto has no choice of precision; leave it at auto") from None


@dataclass(frozen=True)
class Pair:
    """A content and a style at the size at which they are used.

    Attributes:
        content: (1, 3, H, W), sRGB 0..1.
        style: (1, 3, h, w), sRGB 0..1; its long side is the content's.
        sources: SHA-256 of the two files' bytes.
    """

    content: Tensor
    style: Tensor
    sources: tuple[str, str]

    @classmethod
    def read(cls, content: Path, style: Path, size: int) -> Pair:
        """Reads two files and makes their long sides ``size`` pixels.

        Raises:
            ImpastoError: a picture that cannot be read or is too small.
        """
        pictures = [_resized(open_image(path).pixels, size) for path in (content, style)]
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (content, style)]
        return cls(pictures[0], pictures[1], (hashes[0], hashes[1]))

    def faint_noise(self, seed: int) -> Tensor:
        """The start of the preset, (1, 3, H, W), sRGB: almost the network's mean colour."""
        height, width = self.content.shape[2:]
        mean_color = load_weights().convention.mean_color
        return white_noise("faint", (height, width), seed, mean_color)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the content in pixels."""
        return self.content.shape[3], self.content.shape[2]

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Writes both as PNG; the paths of content and style."""
        paths = folder / "content.png", folder / "style.png"
        for path, pixels in zip(paths, (self.content, self.style), strict=True):
            Image(pixels.clamp(0, 1).contiguous()).save(path)
        return paths


def _resized(pixels: Tensor, size: int) -> Tensor:
    height, width = pixels.shape[2:]
    with torch.no_grad():
        return resize(pixels, fit((height, width), size)).clamp(0, 1)

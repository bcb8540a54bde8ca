"""The pair of pictures that a benchmark paints, and the options that choose it."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.program import EXAMPLES, ROOT, whole_number
from impasto import Image, load_weights, open_image
from impasto.pictures.resizing import fit, resize
from impasto.tasks.starts import white_noise

PRESET = "neural-style"
"""Whose objective impasto and its peers share."""


def add_pair_options(parser: argparse.ArgumentParser) -> None:
    """Adds the pictures, their size, and the precision of impasto."""
    parser.add_argument(
        "--content",
        type=Path,
        default=EXAMPLES / "photographs" / "china.jpg",
        help="picture to repaint (default: examples/photographs/china.jpg)",
    )
    parser.add_argument(
        "--style",
        type=Path,
        default=EXAMPLES / "styles" / "flow.jpg",
        help="picture that gives the style (default: examples/styles/flow.jpg)",
    )
    parser.add_argument(
        "--size", type=whole_number(16), default=512, help="long side in pixels (default: 512)"
    )
    parser.add_argument(
        "--precision",
        default="auto",
        help="number format of impasto's encoder, as impasto's own --precision (default: auto)",
    )


def add_peer_options(parser: argparse.ArgumentParser) -> None:
    """Adds where pastiche is installed, and where the figures go."""
    parser.add_argument(
        "--environment",
        type=Path,
        default=ROOT / ".benchmarks" / "pastiche",
        help="folder of pastiche's virtual environment (default: .benchmarks/pastiche)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")


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

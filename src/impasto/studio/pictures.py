"""The pictures that users bring: checked, decoded under limits, and named by a token.

A page or a program never names a file: it sends one, and from then on has a token for it, which
is good for its owner alone. The project's own samples belong to everyone.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from impasto.errors import ImpastoError, PictureError
from impasto.files import replacing
from impasto.pictures.image import Image, open_image
from impasto.studio.mishaps import disk_in_words

EVERYONE = ""  # no user is called so
PREVIEW_SIDE = 1280
THUMBNAIL_SIDE = 240
_SIDES = (PREVIEW_SIDE, THUMBNAIL_SIDE)
LEAST_SIDE = 16
_MOST_OF_ONE_OWNER = 200
_SUFFIXES = {"MPO": ".jpg", "JPEG": ".jpg", "TIFF": ".tif", "HEIF": ".heic"}


@dataclass(frozen=True)
class Picture:
    """A picture in the store.

    Attributes:
        token: what users call it by; cannot be guessed.
        owner: whose it is; `EVERYONE` owns the samples, None is who needs no account.
        name: the file's name as it was brought, without folders.
        path: the file as it was brought.
        width: in pixels, upright.
        height: in pixels, upright.
        notes: what the user should know: only the first frame of an animation counts...
    """

    token: str
    owner: str | None
    name: str
    path: Path
    width: int
    height: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """What a page or program is told of it."""
        return {
            "picture": self.token,
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "notes": list(self.notes),
        }


class NamedBytes(io.BytesIO):
    """Bytes that messages call by a name."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


class PictureStore:
    """All pictures that were brought since the studio started.

    Args:
        folder: an empty folder of the store's own.
        max_pixels: width times height of the largest picture to accept.
    """

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = threading.Lock()  # one large picture at a time is enough for the memory

    def add(self, owner: str | None, name: str, data: bytes, token: str | None = None) -> Picture:
        """Checks a file and keeps it.

        Args:
            owner: whose it is.
            name: what the user calls it.
            data: the file's bytes.
            token: what to call it by; drawn if None.

        Raises:
            PictureError: it is no picture, damaged, too large or too small.
            OutputError: it cannot be kept; the disk is full.
        """
        name = safe_name(name)
        with self._decoding, disk_in_words():
            picture = self._checked(owner, name, data, token or secrets.token_urlsafe(16))
        with self._lock:
            self._pictures[picture.token] = picture
            self._forget_oldest(owner)
        return picture

    def _checked(self, owner: str | None, name: str, data: bytes, token: str) -> Picture:
        image = open_image(NamedBytes(data, name), max_pixels=self._max_pixels)
        if min(image.width, image.height) < LEAST_SIDE:
            raise PictureError(
                f"{name}: {image.width} x {image.height} pixels are too few; give a picture of "
                f"{LEAST_SIDE} or more on each side"
            )
        suffix, notes = _facts(data)
        path = self._folder / f"{secrets.token_hex(16)}{suffix}"
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        for side in _SIDES:
            write_small(image, store_copy(path, side), side)
        return Picture(token, owner, name, path, image.width, image.height, notes)

    def get(self, owner: str | None, token: str) -> Picture:
        """The picture of that token.

        Raises:
            PictureError: there is none, or it is another user's.
        """
        with self._lock:
            picture = self._pictures.get(token)
        if picture is None or picture.owner not in (EVERYONE, owner):
            raise PictureError(
                f"there is no picture {token[:40]!r} (any more); bring it to the studio again"
            )
        return picture

    def those(self, owner: str | None, tokens: Sequence[str]) -> list[Picture]:
        """The pictures of those tokens, as far as they are there."""
        with self._lock:
            found = [self._pictures[token] for token in tokens if token in self._pictures]
        return [picture for picture in found if picture.owner in (EVERYONE, owner)]

    def preview(self, owner: str | None, token: str, side: int) -> Path:
        """A small copy as WebP, ``PREVIEW_SIDE`` or ``THUMBNAIL_SIDE`` long."""
        return store_copy(self.get(owner, token).path, side)

    def _forget_oldest(self, owner: str | None) -> None:
        own = [picture for picture in self._pictures.values() if picture.owner == owner]
        if owner is EVERYONE:
            return
        for picture in own[:-_MOST_OF_ONE_OWNER]:
            del self._pictures[picture.token]
            for path in (picture.path, *(store_copy(picture.path, s) for s in _SIDES)):
                path.unlink(missing_ok=True)


def safe_name(name: str) -> str:
    """A file's name without folders and without characters that are none."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(c if c.isprintable() else "_" for c in last).strip(" .")
    return plain[:80] or "picture"


def write_small(image: Image, path: Path, side: int) -> None:
    """A copy of ``image`` as WebP, at most ``side`` pixels long."""
    small = image.to_pil()
    small.thumbnail((side, side), PIL.Image.Resampling.LANCZOS, reducing_gap=3.0)
    with replacing(path) as temporary:
        small.save(temporary, "WEBP", quality=88, method=2)


def store_copy(path: Path, side: int) -> Path:
    """Where the store has the small copy of a picture, of that long side."""
    return path.with_name(f"{path.stem}-{side}.webp")


def _facts(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The suffix that fits a file, whatever its name says, and what is worth telling of it."""
    try:
        with PIL.Image.open(io.BytesIO(data)) as opened:
            kind = opened.format or "PNG"
            animated = getattr(opened, "is_animated", False) and kind != "MPO"
            mode = opened.mode
    except (OSError, ValueError, ImpastoError):  # a kind that only our own decoders read
        return ".heic", ()
    notes = ["animated: its first picture is used"] if animated else []
    notes += ["CMYK: its colours were converted to sRGB"] if mode == "CMYK" else []
    return _SUFFIXES.get(kind, f".{kind.lower()}"), tuple(notes)

"""The pictures and models that users bring: checked, decoded under limits, named by a token.

A page or a program never names a file: it sends one, and from then on has a token for it, which
is good for its owner alone. The project's own samples belong to everyone.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import PIL.Image

from impasto.errors import ImpastoError, PictureError, WeightsError
from impasto.feedforward.model_file import is_network_file
from impasto.files import NamedBytes, replacing
from impasto.pictures.image import open_image
from impasto.studio.failure_messages import explain_disk_errors
from impasto.studio.small_pictures import (
    PREVIEW_SIDE,
    THUMBNAIL_SIDE,
    small_copies,
    small_copy,
    write_small,
)
from impasto.studio.stored_models import (
    MODEL_SUFFIX,
    is_model_file,
    open_stored_model,
    show_model,
)

EVERYONE = ""  # no user is called so
_SIDES = (PREVIEW_SIDE, THUMBNAIL_SIDE)
LEAST_SIDE = 16
_MOST_OF_ONE_OWNER = 200
_SUFFIXES = {"MPO": ".jpg", "JPEG": ".jpg", "TIFF": ".tif", "HEIF": ".heic"}


@dataclass(frozen=True)
class StoredPicture:
    """A picture in the store, or a model, which is a style.

    Attributes:
        token: what users call it by; cannot be guessed.
        owner: whose it is; `EVERYONE` owns the samples, None is who needs no account.
        name: the file's name as it was brought, without folders.
        path: the file as it was brought.
        width: in pixels, upright; 0 for a model.
        height: in pixels, upright; 0 for a model.
        notes: what the user should know: only the first frame of an animation counts...
        parts: names of a model's styles; none of a picture.
    """

    token: str
    owner: str | None
    name: str
    path: Path
    width: int
    height: int
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def is_model(self) -> bool:
        """Whether it is a model, which can only be a style."""
        return bool(self.parts)

    def check_picture(self) -> None:
        """Checks that it is no model.

        Raises:
            PictureError: it is one.
        """
        if self.is_model:
            raise PictureError(f"{self.name}: is a model, which is a style; give a picture here")

    def to_json(self) -> dict[str, object]:
        """What a page or program is told of it."""
        facts: dict[str, object] = {
            "picture": self.token,
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "notes": list(self.notes),
        }
        return {**facts, "parts": [*map(_shown, self.parts)]} if self.is_model else facts


class PictureStore:
    """All pictures that were brought since the studio started.

    Args:
        folder: an empty folder of the store's own.
        max_pixels: width times height of the largest picture to accept.
    """

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels
        self._pictures: OrderedDict[str, StoredPicture] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = threading.Lock()  # one large picture at a time is enough for the memory

    def add(
        self, owner: str | None, name: str, data: bytes, token: str | None = None
    ) -> StoredPicture:
        """Checks a file and keeps it.

        Args:
            owner: whose it is.
            name: what the user calls it.
            data: the file's bytes.
            token: what to call it by; drawn if None.

        Raises:
            PictureError: it is no picture, damaged, too large or too small.
            WeightsError: it is safetensors, and damaged, no model, or of a newer impasto.
            OutputError: it cannot be kept; the disk is full.
        """
        name, token = safe_name(name), token or secrets.token_urlsafe(16)
        with self._decoding, explain_disk_errors():
            make = self._make_model if is_model_file(name, data) else self._make_picture
            made = replace(make(name, data), owner=owner, token=token)
        with self._lock:
            self._pictures[token] = made
            self._forget_oldest(owner)
        return made

    def _make_picture(self, name: str, data: bytes) -> StoredPicture:
        image = open_image(NamedBytes(data, name), max_pixels=self._max_pixels)
        width, height = image.width, image.height
        if min(width, height) < LEAST_SIDE:
            raise PictureError(
                f"{name}: {width} x {height} pixels are too few; give a picture of "
                f"{LEAST_SIDE} or more on each side"
            )
        suffix, notes = _file_facts(data)
        path = self._keep(data, suffix)
        for side in _SIDES:
            write_small(image, small_copy(path, side), side)
        return StoredPicture("", None, name, path, width, height, notes)

    def _make_model(self, name: str, data: bytes) -> StoredPicture:
        name = name if is_network_file(name) else f"{name}{MODEL_SUFFIX}"
        path = self._keep(data, MODEL_SUFFIX)
        try:
            model = open_stored_model(path, name)
        except WeightsError:
            path.unlink(missing_ok=True)
            raise
        parts = tuple(model.films)
        for part in range(1 + len(parts)):
            copy = small_copy(path, THUMBNAIL_SIDE, part)
            write_small(show_model(model, part), copy, 2 * THUMBNAIL_SIDE)
        return StoredPicture("", None, name, path, 0, 0, (), parts)

    def _keep(self, data: bytes, suffix: str) -> Path:
        path = self._folder / f"{secrets.token_hex(16)}{suffix}"
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        return path

    def get(self, owner: str | None, token: str) -> StoredPicture:
        """The picture of that token.

        Raises:
            PictureError: there is none, or it is another user's.
        """
        found = self.find(owner, [token])
        if not found:
            raise PictureError(
                f"there is no picture {token[:40]!r} (any more); bring it to the studio again"
            )
        return found[0]

    def find(self, owner: str | None, tokens: Sequence[str]) -> list[StoredPicture]:
        """The pictures of those tokens, as far as they are there and this user's or everyone's."""
        with self._lock:
            found = [self._pictures[token] for token in tokens if token in self._pictures]
        return [picture for picture in found if picture.owner in (EVERYONE, owner)]

    def _forget_oldest(self, owner: str | None) -> None:
        if owner is EVERYONE:
            return
        own = [picture for picture in self._pictures.values() if picture.owner == owner]
        for picture in own[:-_MOST_OF_ONE_OWNER]:
            del self._pictures[picture.token]
            for path in (picture.path, *small_copies(picture.path)):
                path.unlink(missing_ok=True)


def add_samples(store: PictureStore) -> dict[str, list[dict[str, object]]]:
    """Puts the project's own photographs and styles into a store. Returns their JSON by kind."""
    here = Path(__file__).parent  # in an installed package, or in a checkout
    folder = here / "samples" if (here / "samples").is_dir() else here.parents[2] / "examples"
    return {
        kind: [
            store.add(EVERYONE, path.name, path.read_bytes(), f"sample-{path.stem}").to_json()
            for path in sorted((folder / kind).glob("*.jpg"))
        ]
        for kind in ("photographs", "styles")
    }


def safe_name(name: str) -> str:
    """A file's name without folders and without characters that are none."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(c if c.isprintable() else "_" for c in last).strip(" .")
    return plain[:80] or "picture"


def _shown(part: str) -> str:
    """The name of a model's style without characters that are none."""
    return "".join(c if c.isprintable() else "_" for c in part)[:80]


def _file_facts(data: bytes) -> tuple[str, tuple[str, ...]]:
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

"""What a user wants to have painted: pictures by token, regions as masks, settings by name.

`OrderRequest` is what a page or a program sends; `read_order` makes a checked `StudioOrder` of it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impasto.errors import PictureError, SettingsError
from impasto.files import NamedBytes
from impasto.paths import model_name
from impasto.pictures.image import open_image
from impasto.settings.model import STARTS, Settings
from impasto.settings.presets import AT_ONCE
from impasto.settings.recipes import Inputs
from impasto.settings.wording import schemas, setting_value
from impasto.studio.picture_store import PictureStore, StoredPicture
from impasto.tasks.checks import check_model_settings
from impasto.tasks.styles import part_named

MOST_STYLES = 4
MOST_REGIONS = 8
_LARGEST_MASK = 4_000_000
_MASK_PIXELS = 4_200_000

MASK_URL = "data:image/png;base64,"
"""How a mask begins, which is a PNG as a data URL."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _StyleRequest(_Request):
    picture: str = Field(max_length=200)
    weight: float = Field(1.0, ge=0, le=100, allow_inf_nan=False)
    part: str = Field("", max_length=200)


class _RegionRequest(_Request):
    mask: str = Field(max_length=_LARGEST_MASK)
    style: int | None = Field(None, ge=0, lt=MOST_STYLES)


class OrderRequest(_Request):
    """An order as a page or a program sends it, in JSON."""

    content: str = Field(max_length=200)
    styles: list[_StyleRequest] = Field(min_length=1, max_length=MOST_STYLES)
    regions: list[_RegionRequest] = Field(default=[], max_length=MOST_REGIONS)
    settings: dict[str, Any] = Field(default={}, max_length=100)


@dataclass(frozen=True)
class OrderedStyle:
    """A style of an order.

    Attributes:
        picture: the picture, or the model.
        weight: among the styles that are blended; 0 where it serves a region alone.
        part: name or number of one of a model's styles; all of them if empty.
    """

    picture: StoredPicture
    weight: float
    part: str = ""

    def in_file(self, file: str) -> str:
        """The style as `iterate` and the command line take it, from a file of it."""
        return f"{file}#{self.part}" if self.part else file


@dataclass(frozen=True)
class StudioOrder:
    """An order whose parts were all checked.

    Attributes:
        content: the picture to repaint.
        styles: up to four.
        regions: masks (PNG, white inside), each with the number of its style, or None to leave it.
        settings: how it looks.
        files: pictures that settings name, by setting.
    """

    content: StoredPicture
    styles: tuple[OrderedStyle, ...]
    regions: tuple[tuple[bytes, int | None], ...]
    settings: Settings
    files: Mapping[str, StoredPicture]

    @property
    def title(self) -> str:
        """What the result is called."""
        return title(self.content.name, self._style_names)

    @property
    def mask_names(self) -> list[str]:
        """What the files of the masks are called."""
        return [f"region-{number}.png" for number in range(1, len(self.regions) + 1)]

    @property
    def inputs(self) -> Inputs:
        """The pictures by the names that the user knows."""
        styles, regions = self.arranged(self._style_names, self.mask_names)
        return Inputs.of(self.content.name, styles, regions)

    @property
    def _style_names(self) -> list[str]:
        return [style.in_file(style.picture.name) for style in self.styles]

    def arranged(
        self, styles: list[str], masks: list[str]
    ) -> tuple[list[str], list[tuple[str, str | None]]]:
        """The styles to blend and the regions, as `iterate` takes them.

        Args:
            styles: names or files of all styles, in the order's sequence.
            masks: those of all masks.
        """
        blended = [name for name, one in zip(styles, self.styles, strict=True) if one.weight]
        regions = zip(masks, self.regions, strict=True)
        return blended, [(mask, None if n is None else styles[n]) for mask, (_, n) in regions]


def read_order(request: object, owner: str | None, store: PictureStore, most: int) -> StudioOrder:
    """Checks an order.

    Args:
        request: the JSON form, parsed.
        owner: who sends it.
        store: where its pictures are.
        most: width times height of the largest result.

    Raises:
        SettingsError: it is of another form, or a setting is out of range.
        PictureError: a picture that is not there, or a mask that is none.
    """
    try:
        asked = OrderRequest.model_validate(request)
    except ValidationError as error:
        raise SettingsError(_first_error(error)) from None
    content = store.get(owner, asked.content)
    content.check_picture()
    styles = tuple(_style(one, store.get(owner, one.picture)) for one in asked.styles)
    regions = tuple((_mask(one.mask, n), one.style) for n, one in enumerate(asked.regions, 1))
    for _, style in regions:
        if style is not None and style >= len(styles):
            raise SettingsError(f"region: there is no style {style + 1}; there are {len(styles)}")
    weights = tuple(style.weight for style in styles if style.weight)
    if not weights and all(style is None for _, style in regions):
        raise SettingsError("every style has the weight 0; give one of them more, such as 1")
    model = next((style.picture.name for style in styles if style.picture.is_model), None)
    usual = {} if model is None else {"preset": AT_ONCE}
    settings, files = read_settings({**usual, **asked.settings}, owner, store)
    if model is not None:
        check_model_settings(model, settings)
    if len(set(weights)) > 1:  # equal ones are what it does anyway
        settings = settings.replace(style_blend=weights)
    _check_size(settings, content, most)
    return StudioOrder(content, styles, regions, settings, files)


def read_settings(
    given: Mapping[str, Any], owner: str | None, store: PictureStore
) -> tuple[Settings, dict[str, StoredPicture]]:
    """Settings by name, and the pictures that some of them name by token.

    Raises:
        SettingsError: an unknown setting, or a value out of range.
        PictureError: a picture that is not there.
    """
    values, files = {}, {}
    for name, value in given.items():
        schema = schemas().get(name)
        if name == "style_blend":
            raise SettingsError("style_blend: give each style its weight instead")
        if not _is_flat(value, named=schema is not None and schema.get("type") == "object"):
            raise SettingsError(f"{name[:80]}: has an object in it; give numbers or texts")
        if schema is not None:
            value = setting_value(name, value) if isinstance(value, str) else value
            if schema.get("format") == "path" and value is not None:
                files[name] = store.get(owner, str(value))
                files[name].check_picture()
        values[name] = value
    start = values.get("start")
    if start is not None and start not in STARTS:
        raise SettingsError(f"start = {start!r}: must be one of {', '.join(STARTS)}")
    return Settings(**values), files


def title(content: str, styles: Sequence[str]) -> str:
    """What the picture is called that is made of files of these names."""
    names = [_called(style) for style in styles]
    return f"{Path(content).stem} in {' and '.join(names[:3])}"


def _called(style: str) -> str:
    """What a style is called in a title: one of a model's is named, too."""
    file, part = model_name(style) or (style, "")
    return f"{Path(file).stem} {part}" if part else Path(file).stem


def _style(asked: _StyleRequest, picture: StoredPicture) -> OrderedStyle:
    """A style of an order, whose part is there.

    Raises:
        SettingsError: the model has no such style, or it is no model.
    """
    if not asked.part:
        return OrderedStyle(picture, asked.weight)
    if not picture.is_model:
        raise SettingsError(
            f"part = {asked.part!r}: {picture.name} is a picture, and only models have parts; "
            "leave it out"
        )
    part = part_named(picture.parts, asked.part, picture.name)
    if not part.isprintable() or ":" in part:  # behind a colon stands a weight, or a region's style
        part = str(1 + picture.parts.index(part))
    return OrderedStyle(picture, asked.weight, part)


def _is_flat(value: Any, *, named: bool) -> bool:
    """Whether a setting's value is one value or several, ``named`` by a key or not.

    Messages repeat such values; they must not repeat whatever else a program may send.
    """
    parts = value.values() if named and isinstance(value, Mapping) else [value]
    several = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    return not any(isinstance(one, (Mapping, list)) for one in several)


def _mask(text: str, number: int) -> bytes:
    """The PNG of a data URL, white inside and black outside, once it was found to be one."""
    if not text.startswith(MASK_URL):
        raise PictureError(f"region {number}: the mask must be a PNG as a {MASK_URL} URL")
    try:
        data = base64.b64decode(text.removeprefix(MASK_URL), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(f"region {number}: the mask is no base64 text") from error
    opened = open_image(NamedBytes(data, f"region {number}"), max_pixels=_MASK_PIXELS)
    if not bool((opened.pixels.mean(1) > 0.5).any()):
        raise PictureError(f"region {number}: is empty; paint it, or remove it")
    return data


def _check_size(settings: Settings, content: StoredPicture, most: int) -> None:
    longest = max(content.width, content.height)
    scale = (settings.size or longest) / longest
    pixels = round(content.width * scale) * round(content.height * scale)
    if pixels > most:
        fits = int((most / (content.width * content.height)) ** 0.5 * longest)
        raise SettingsError(
            f"size = {settings.size}: the picture would have {pixels} pixels, and the limit of "
            f"this studio is {most}; use {fits} or less"
        )


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the order"
    return f"{where}: {first['msg'][:200]}"

"""What is to be painted: pictures by token, regions as masks, settings by name. All checked."""

from __future__ import annotations

import base64
import binascii
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impasto.errors import PictureError, SettingsError
from impasto.pictures.image import open_image
from impasto.settings.model import STARTS, Settings
from impasto.settings.recipes import Inputs
from impasto.settings.wording import schemas, setting_value
from impasto.studio.pictures import PREVIEW_SIDE, NamedBytes, Picture, PictureStore, store_copy

CONTENT_PREVIEW = "content-preview.webp"
MOST_STYLES = 4
MOST_REGIONS = 8
_LARGEST_MASK = 4_000_000
_MASK_PIXELS = 4_200_000

Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class _StyleRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    picture: str = Field(max_length=200)
    weight: Weight = 1.0


class _RegionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    mask: str = Field(max_length=_LARGEST_MASK)
    style: int | None = Field(None, ge=0, lt=MOST_STYLES)


class OrderRequest(BaseModel):
    """An order as a page or a program sends it: the JSON form of `Order`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    content: str = Field(max_length=200)
    styles: list[_StyleRequest] = Field(min_length=1, max_length=MOST_STYLES)
    regions: list[_RegionRequest] = Field(default=[], max_length=MOST_REGIONS)
    settings: dict[str, Any] = Field(default={}, max_length=100)


@dataclass(frozen=True)
class Order:
    """What is to be painted.

    Attributes:
        content: the picture to repaint.
        styles: up to four, with weights; 0 where it serves a region alone.
        regions: masks (PNG, white inside), each with the number of its style, or None to leave it.
        settings: how it looks.
        files: pictures that settings name, by setting.
    """

    content: Picture
    styles: tuple[tuple[Picture, float], ...]
    regions: tuple[tuple[bytes, int | None], ...] = ()
    settings: Settings = field(default_factory=Settings)
    files: Mapping[str, Picture] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the result is called."""
        return _title(self.content.name, [picture.name for picture, _ in self.styles])

    @property
    def inputs(self) -> Inputs:
        """The pictures by the names that the user knows."""
        styles, regions = self.arranged(
            [picture.name for picture, _ in self.styles],
            [f"region-{number}.png" for number in range(1, len(self.regions) + 1)],
        )
        return Inputs.of(self.content.name, styles, regions)

    def arranged(self, styles: list[str], masks: list[str]) -> tuple[list[str], list[Any]]:
        """Files of all styles and masks as `iterate` takes them: blended ones, then regions."""
        blended = [name for name, (_, weight) in zip(styles, self.styles, strict=True) if weight]
        numbers = [number for _, number in self.regions]
        pairs = zip(masks, numbers, strict=True)
        return blended, [(mask, None if n is None else styles[n]) for mask, n in pairs]


@dataclass(frozen=True)
class Commission:
    """An order with its pictures as files in a folder: all that a worker needs.

    Attributes:
        content: the file.
        styles: those that are blended.
        regions: mask and style of each; None leaves it as it is.
        settings: by name.
    """

    content: str
    styles: tuple[str, ...]
    regions: tuple[tuple[str, str | None], ...]
    settings: Mapping[str, Any]


def read_order(request: object, owner: str | None, store: PictureStore, most: int) -> Order:
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
        raise SettingsError(_one_line(error)) from None
    content = store.get(owner, asked.content)
    styles = tuple((store.get(owner, one.picture), one.weight) for one in asked.styles)
    regions = tuple((_mask(one.mask, n), one.style) for n, one in enumerate(asked.regions, 1))
    for _, style in regions:
        if style is not None and style >= len(styles):
            raise SettingsError(f"region: there is no style {style + 1}; there are {len(styles)}")
    weights = tuple(weight for _, weight in styles if weight)
    if not weights and all(style is None for _, style in regions):
        raise SettingsError("every style has the weight 0; give one of them more, such as 1")
    settings, files = read_settings(asked.settings, owner, store)
    if len(set(weights)) > 1:  # equal ones are what it does anyway
        settings = settings.replace(style_blend=weights)
    _check_size(settings, content, most)
    return Order(content, styles, regions, settings, files)


def read_settings(
    given: Mapping[str, Any], owner: str | None, store: PictureStore
) -> tuple[Settings, dict[str, Picture]]:
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
        values[name] = value
    start = values.get("start")
    if start is not None and start not in STARTS:
        raise SettingsError(f"start = {start!r}: must be one of {', '.join(STARTS)}")
    return Settings(**values), files


def _is_flat(value: Any, *, named: bool) -> bool:
    """Whether it is a value, or several; or such by ``named``. Messages repeat nothing else."""
    parts = value.values() if named and isinstance(value, Mapping) else [value]
    several = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    return not any(isinstance(one, (Mapping, list)) for one in several)


def commission(order: Order, folder: Path) -> Commission:
    """Copies an order's pictures into a folder, beside its JSON form for later."""
    content = _copied(order.content, folder / "content")
    shutil.copyfile(store_copy(order.content.path, PREVIEW_SIDE), folder / CONTENT_PREVIEW)
    styles = [
        _copied(picture, folder / f"style-{number}")
        for number, (picture, _) in enumerate(order.styles, start=1)
    ]
    masks = []
    for number, (png, _) in enumerate(order.regions, start=1):
        masks.append(folder / f"region-{number}.png")
        masks[-1].write_bytes(png)
    named = {
        setting: _copied(picture, folder / setting.replace("_", "-"))
        for setting, picture in order.files.items()
    }
    settings = order.settings.model_dump(mode="json")
    settings |= {setting: str(path) for setting, path in named.items()}
    _write_form(order, folder, content, styles, named)
    blended, regions = order.arranged([str(path) for path in styles], [str(path) for path in masks])
    return Commission(str(content), tuple(blended), tuple(regions), settings)


def title_of(form: Mapping[str, Any]) -> str:
    """What the result of an order that was kept is called.

    Raises:
        KeyError, TypeError: it is no such order.
    """
    names = form["names"]
    return _title(names[form["content"]], [names[style["file"]] for style in form["styles"]])


def _title(content: str, styles: Sequence[str]) -> str:
    names = [Path(style).stem for style in styles]
    return f"{Path(content).stem} in {' and '.join(names[:3])}"


def reopened(folder: Path, owner: str | None, store: PictureStore) -> dict[str, Any]:
    """An order that was kept, as a request: its pictures are put into the store again.

    Raises:
        PictureError: a picture of it is gone or damaged.
    """
    try:
        form = json.loads((folder / "order.json").read_text(encoding="utf-8"))
        kept = {
            file: store.add(owner, name, (folder / safe).read_bytes())
            for file, name in form["names"].items()
            for safe in [Path(file).name]
        }
        masks = [(folder / Path(one["mask"]).name).read_bytes() for one in form["regions"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PictureError("the inputs of this picture are gone from its folder") from error
    encoded = ["data:image/png;base64," + base64.b64encode(mask).decode() for mask in masks]
    return {
        "content": kept[form["content"]].to_json(),
        "styles": [
            {**kept[one["file"]].to_json(), "weight": one["weight"]} for one in form["styles"]
        ],
        "regions": [
            {"mask": mask, "style": one["style"]}
            for mask, one in zip(encoded, form["regions"], strict=True)
        ],
        "settings": {
            **form["settings"],
            **{name: kept[file].token for name, file in form["files"].items()},
        },
    }


def _write_form(
    order: Order, folder: Path, content: Path, styles: list[Path], named: Mapping[str, Path]
) -> None:
    pictures = [order.content, *(picture for picture, _ in order.styles), *order.files.values()]
    paths = [content, *styles, *named.values()]
    weights = [weight for _, weight in order.styles]
    settings = order.settings.model_dump(mode="json")
    form = {
        "names": {path.name: one.name for path, one in zip(paths, pictures, strict=True)},
        "content": content.name,
        "styles": [
            {"file": path.name, "weight": weight}
            for path, weight in zip(styles, weights, strict=True)
        ],
        "regions": [
            {"mask": f"region-{number}.png", "style": style}
            for number, (_, style) in enumerate(order.regions, start=1)
        ],
        "settings": {
            name: settings[name] for name in settings if name not in ("style_blend", *named)
        },
        "files": {name: path.name for name, path in named.items()},
    }
    (folder / "order.json").write_text(json.dumps(form, indent=1), encoding="utf-8")


def _copied(picture: Picture, stem: Path) -> Path:
    target = stem.with_name(stem.name + picture.path.suffix)
    try:
        shutil.copyfile(picture.path, target)
    except OSError as error:
        raise PictureError(f"{picture.name}: is gone; bring it to the studio again") from error
    return target


def _mask(text: str, number: int) -> bytes:
    """The PNG of a data URL, looked at: white inside, black outside."""
    prefix = "data:image/png;base64,"
    if not text.startswith(prefix):
        raise PictureError(f"region {number}: the mask must be a PNG as a {prefix} URL")
    try:
        data = base64.b64decode(text[len(prefix) :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(f"region {number}: the mask is no base64 text") from error
    opened = open_image(NamedBytes(data, f"region {number}"), max_pixels=_MASK_PIXELS)
    if not bool((opened.pixels.mean(1) > 0.5).any()):
        raise PictureError(f"region {number}: is empty; paint it, or remove it")
    return data


def _check_size(settings: Settings, content: Picture, most: int) -> None:
    longest = max(content.width, content.height)
    scale = (settings.size or longest) / longest
    pixels = round(content.width * scale) * round(content.height * scale)
    if pixels > most:
        fits = int((most / (content.width * content.height)) ** 0.5 * longest)
        raise SettingsError(
            f"size = {settings.size}: the picture would have {pixels} pixels, and the limit of "
            f"this studio is {most}; use {fits} or less"
        )


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the order"
    return f"{where}: {first['msg'][:200]}"

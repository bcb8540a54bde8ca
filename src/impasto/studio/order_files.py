"""An order as files in a folder: its pictures for a worker, and its JSON form to read it back from.

The form names the files that the order's pictures became, and what each of them was called.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.errors import PictureError
from impasto.studio.picture_folder import CONTENT_PREVIEW, ORDER
from impasto.studio.picture_store import PictureStore, StoredPicture
from impasto.studio.small_pictures import PREVIEW_SIDE, small_copy
from impasto.studio.studio_order import MASK_URL, StudioOrder, title


@dataclass(frozen=True)
class OrderFiles:
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


def write_order(order: StudioOrder, folder: Path) -> OrderFiles:
    """Copies an order's pictures into a folder, and writes its JSON form beside them."""
    content = _copy(order.content, folder / "content")
    shutil.copyfile(small_copy(order.content.path, PREVIEW_SIDE), folder / CONTENT_PREVIEW)
    styles = [
        _copy(style.picture, folder / f"style-{number}")
        for number, style in enumerate(order.styles, start=1)
    ]
    masks = [folder / name for name in order.mask_names]
    for path, (png, _) in zip(masks, order.regions, strict=True):
        path.write_bytes(png)
    named = {
        setting: _copy(picture, folder / setting.replace("_", "-"))
        for setting, picture in order.files.items()
    }
    settings = order.settings.model_dump(mode="json")
    settings |= {setting: str(path) for setting, path in named.items()}
    _write_form(order, content, styles, named)
    named_styles = [
        style.in_file(str(path)) for style, path in zip(order.styles, styles, strict=True)
    ]
    blended, regions = order.arranged(named_styles, [str(path) for path in masks])
    return OrderFiles(str(content), tuple(blended), tuple(regions), settings)


def read_title(folder: Path) -> str:
    """The title of the order that was written to a folder.

    Raises:
        OSError, ValueError, KeyError, TypeError: there is no such order.
    """
    form = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    names = form["names"]
    return title(names[form["content"]], [_named(style, names) for style in form["styles"]])


def reopen_order(folder: Path, owner: str | None, store: PictureStore) -> dict[str, Any]:
    """The order of a folder, as a request: puts its pictures into the store again.

    Raises:
        PictureError: a picture is gone or damaged.
    """
    try:
        form = json.loads((folder / ORDER).read_text(encoding="utf-8"))
        kept = {
            file: store.add(owner, name, (folder / Path(file).name).read_bytes())
            for file, name in form["names"].items()
        }
        regions = [
            {"mask": _data_url(folder / Path(one["mask"]).name), "style": one["style"]}
            for one in form["regions"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PictureError("the inputs of this picture are gone from its folder") from error
    return {
        "content": kept[form["content"]].to_json(),
        "styles": [
            {**kept[one["file"]].to_json(), "weight": one["weight"], "part": one.get("part", "")}
            for one in form["styles"]
        ],
        "regions": regions,
        "settings": {
            **form["settings"],
            **{name: kept[file].token for name, file in form["files"].items()},
        },
    }


def _write_form(
    order: StudioOrder, content: Path, styles: list[Path], named: Mapping[str, Path]
) -> None:
    brought = (style.picture for style in order.styles)
    pictures = [order.content, *brought, *order.files.values()]
    paths = [content, *styles, *named.values()]
    form = {
        "names": {path.name: one.name for path, one in zip(paths, pictures, strict=True)},
        "content": content.name,
        "styles": [
            {"file": path.name, "weight": style.weight, "part": style.part}
            for path, style in zip(styles, order.styles, strict=True)
        ],
        "regions": [
            {"mask": mask, "style": style}
            for mask, (_, style) in zip(order.mask_names, order.regions, strict=True)
        ],
        "settings": order.settings.model_dump(mode="json", exclude={"style_blend", *named}),
        "files": {name: path.name for name, path in named.items()},
    }
    content.with_name(ORDER).write_text(json.dumps(form, indent=1), encoding="utf-8")


def _named(style: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A style of the form as its user named it."""
    part = style.get("part")
    return f"{names[style['file']]}#{part}" if part else names[style["file"]]


def _data_url(mask: Path) -> str:
    return MASK_URL + base64.b64encode(mask.read_bytes()).decode()


def _copy(picture: StoredPicture, stem: Path) -> Path:
    target = stem.with_name(stem.name + picture.path.suffix)
    try:
        shutil.copyfile(picture.path, target)
    except OSError as error:
        raise PictureError(f"{picture.name}: is gone; bring it to the studio again") from error
    return target

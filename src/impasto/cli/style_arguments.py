"""The styles, regions and maps that a command line names."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impasto.cli.commands import flags_of
from impasto.cli.run_flags import stem
from impasto.errors import SettingsError
from impasto.files import STANDARD_STREAM, is_folder
from impasto.messages import counted
from impasto.paths import local_path, model_name, without_part
from impasto.settings.model import Settings
from impasto.settings.presets import AT_ONCE


@dataclass(frozen=True)
class StyleArguments:
    """The files of styles, masks and maps that a command line names.

    Attributes:
        styles: files or folders, to be blended.
        blend: their weights, if any was given.
        regions: mask and style of each; None where it stays as it is.
        maps: the content's colour-coded map, then one for each style; empty without maps.
    """

    styles: list[str]
    blend: list[float] | None
    regions: list[tuple[str, str | None]]
    maps: list[str]

    @classmethod
    def parse(
        cls,
        styles: Sequence[str],
        regions: Sequence[str] = (),
        maps: Sequence[str] = (),
        command: str = "stylize",
    ) -> StyleArguments:
        """Reads what was typed.

        Args:
            styles: each ``STYLE`` or ``STYLE:WEIGHT``.
            regions: each ``MASK:STYLE`` or ``MASK:none``.
            maps: those of the content and the styles.
            command: the one that they were given to.

        Raises:
            SettingsError: no style, a region of another form, too few or too many maps, or an
                option that is unknown.
        """
        named = cls(*_blended(styles, command), [_region(one) for one in regions], list(maps))
        if maps:
            named.check_maps()
        elif not named.styles and not named.regions:
            region = ", or a --region" if command == "stylize" else ""
            raise SettingsError(
                f"STYLE is missing; give a picture, such as painting.jpg{region} (pictures stand "
                "before flags)"
            )
        model = next(filter(_is_model, named.styles), None)
        if model is not None and command != "stylize":
            raise SettingsError(
                f"{model}: is a model, which repaints photographs and has no picture for "
                f"{command} to look at; give a picture"
            )
        if named.blend is not None and not any(named.blend):
            raise SettingsError(
                f"{' '.join(styles)}: no style has a weight above 0; give one of them more"
            )
        return named

    def check_maps(self) -> None:
        """Checks that every style can have its map.

        Raises:
            SettingsError: it cannot.
        """
        if not self.styles:
            raise SettingsError(
                f"STYLE is missing: --map took all that follows it ({' '.join(self.maps)}), and "
                "pictures stand before flags; give the style that the maps divide before --map"
            )
        if len(self.maps) != 1 + len(self.styles):
            raise SettingsError(
                f"--map has {counted(len(self.maps), 'map')} for content and "
                f"{counted(len(self.styles), 'style')}; give one for the content, then one for "
                "each style, behind one --map"
            )
        for style in self.styles:
            if is_folder(style):
                raise SettingsError(
                    f"{style}: is a folder, and with --map each style is a single picture; give "
                    "one of its pictures"
                )

    def settings(self, own: Collection[str]) -> dict[str, Any]:
        """The settings that follow, beside those of flags, whose names are ``own``."""
        found: dict[str, Any] = {}
        if "preset" not in own and any(map(_is_model, (*self.styles, *self._of_regions()))):
            found["preset"] = AT_ONCE
        if self.blend is None:
            return found
        if "style_blend" in own:
            raise SettingsError("--style-blend and STYLE:WEIGHT exclude each other; use one")
        return {**found, "style_blend": self.blend}

    def keywords(self) -> dict[str, Any]:
        """Styles, regions and maps as `iterate` takes them."""
        maps = (self.maps[0], self.maps[1:]) if self.maps else None
        return {"style": self.styles or None, "regions": self.regions, "maps": maps}

    def files(self) -> list[str]:
        """All files."""
        masks = [mask for mask, _ in self.regions]
        styles, own = map(without_part, self.styles), map(without_part, self._of_regions())
        return [*styles, *masks, *own, *self.maps]

    def stem(self) -> str:
        """What they are called in the name of a result."""
        names = [_called(style) for style in (*self.styles, *self._of_regions())]
        return "-and-".join(names[:3]) or "regions"

    def _of_regions(self) -> list[str]:
        return [style for _, style in self.regions if style is not None]


def _is_model(style: str) -> bool:
    return model_name(style) is not None and not is_folder(style)


def _called(style: str) -> str:
    """What a style is called in the name of a result; one of a model's with its number or name."""
    named = model_name(style)
    if named is None:
        return stem(style)
    part = re.sub(r"[^\w.-]+", "-", named[1])
    return f"{stem(named[0])}-{part}" if part else stem(named[0])


def _blended(styles: Sequence[str], command: str) -> tuple[list[str], list[float] | None]:
    """The files of ``STYLE:WEIGHT``, and the weights if any is given."""
    names, weights = [], []
    for style in styles:
        if style.startswith("-") and style != STANDARD_STREAM and not os.path.lexists(style):
            raise SettingsError(_unknown_option(style.partition("=")[0], command))
        match = (
            None if os.path.lexists(local_path(style)) else re.fullmatch(r"(.+):(\d*\.?\d+)", style)
        )
        names.append(match[1] if match else style)
        weights.append(float(match[2]) if match else 1.0)
    return names, weights if names != list(styles) else None


def _unknown_option(option: str, command: str) -> str:
    """What to say of an option that a command does not have."""
    setting = option.removeprefix("--").replace("-", "_")
    if option.startswith("--") and setting in Settings.model_fields:
        instead = _INSTEAD.get(command, {}).get(setting, "leave it out")
        return f"{option}: has no part in impasto {command}; {instead}"
    known = [flag for flag in flags_of(command) if flag.startswith("--")]
    close = difflib.get_close_matches(option, known, n=1, cutoff=0.7)
    hint = f". Did you mean {close[0]}? See" if close else "; see"
    return f"unknown option: {option}{hint} impasto {command} --help"


_WHEN_IT_PAINTS = "give it to impasto stylize when the model paints"
_INSTEAD: Mapping[str, Mapping[str, str]] = {
    "train": {
        "size": "--side is the size at which strokes are learned, and results get theirs when the "
        "model paints",
        "iterations": "--steps or --minutes say how long to train",
        "levels": "a training has one size, --side",
        "preset": "give single settings, such as --style-weight or --style-loss",
        "style_blend": "each style becomes one of the model, and they are blended when it paints",
        **dict.fromkeys(("color", "color_from", "color_amount"), _WHEN_IT_PAINTS),
        **dict.fromkeys(("keep", "seamless", "feather"), _WHEN_IT_PAINTS),
        **dict.fromkeys(
            ("optimizer", "step_size", "history", "start", "noise", "noise_share", "stop_loss"),
            "it belongs to the optimisation of single pictures; leave it out",
        ),
    }
}
"""What to use in place of settings that a command does not have."""


def _region(text: str) -> tuple[str, str | None]:
    """Mask and style of ``MASK:STYLE``; no style for ``MASK:none``."""
    splits = [(text[: at.start()], text[at.end() :]) for at in re.finditer(":", text)]
    splits = [(mask, style) for mask, style in splits if mask and style]
    if not splits:
        raise SettingsError(
            f"region = {text!r}: should be a mask and a style, such as sky.png:painting.jpg, or "
            "sky.png:none to leave the sky as it is"
        )
    there = [split for split in splits if os.path.lexists(local_path(split[0]))]
    whole = [split for split in splits if not split[1].startswith("//")]  # no URL is torn
    mask, style = (there or whole or splits)[0]
    return mask, None if style == "none" else style

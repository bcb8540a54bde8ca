"""What happens on the page: which function each button and each control calls.

The page's script, ``window.impasto``, fills in what Gradio's controls do not know: pictures and
regions come as the text of an order in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import gradio as gr

from impasto.errors import ImpastoError, SettingsError
from impasto.settings.model import Settings
from impasto.studio.setting_controls import Control, control_value, settings_of, values_of
from impasto.studio.studio import Studio
from impasto.studio.studio_job import StudioJob

# The script is there when all of the page is; a click may come before.
_ORDER = "(order, ...rest) => [window.impasto?.order() ?? '', ...rest]"
_RESTORING = "(order, ...rest) => [window.impasto.restoring(), ...rest]"
_RESTORED = "() => { window.impasto.restoredControls(); }"
_FAILED = "() => { window.impasto.failed(); }"
_ANSWER = "(answer) => { window.impasto?.answered(answer); }"
_CHOICE = "(settings) => { window.impasto?.held(settings); }"


@dataclass(frozen=True)
class PageParts:
    """The parts of the page that call functions, and those that show what comes of it.

    Attributes:
        controls: one for each setting, by name.
        hidden: texts that the script and the server hand to each other, by name.
        buttons: those to see and those that only the script clicks, by name.
        command: the command line of what is chosen.
    """

    controls: dict[str, Control]
    hidden: dict[str, gr.Textbox]
    buttons: dict[str, gr.Button]
    command: gr.Code


_Answer = TypeVar("_Answer")
_QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "queue": False,
    "api_visibility": "private",
}


def wire_orders(studio: Studio, page: PageParts) -> None:
    """Wires the buttons that begin a job, and what follows every change.

    A change writes the command anew, and has the script remember what is chosen in this tab.
    """
    names, controls = list(page.controls), list(page.controls.values())
    order, answer, choice = (page.hidden[name] for name in ("order", "answer", "choice"))
    for name, begin in (("paint", studio.paint), ("variations", studio.variations)):
        page.buttons[name].click(
            _job_starter(names, begin), [order, *controls], [answer], js=_ORDER, **_QUIET
        ).success(None, [answer], None, js=_ANSWER).failure(None, [], None, js=_FAILED)
    gr.on(
        [page.buttons["refresh"].click, *(control.change for control in controls)],
        _command_writer(studio, names),
        [order, *controls],
        [page.command, choice],
        js=_ORDER,
        trigger_mode="always_last",
        **_QUIET,
    ).then(None, [choice], None, js=_CHOICE)


def wire_settings(page: PageParts) -> None:
    """Wires what fills the controls: a preset, and an order that is restored."""
    names, controls = list(page.controls), list(page.controls.values())
    preset, before = page.controls["preset"], page.hidden["before"]
    preset.input(
        _preset_filler(names),
        [preset, before],
        [before, *(page.controls[name] for name in _names_of_preset(names))],
        **_QUIET,
    )
    page.buttons["restore"].click(
        _order_filler(names),
        [page.hidden["order"], *controls],
        [before, *controls],
        js=_RESTORING,
        **_QUIET,
    ).then(None, [], None, js=_RESTORED)


def _names_of_preset(names: list[str]) -> list[str]:
    """The settings that a preset sets anew: all but those that say what the user is about."""
    return [name for name in names if name not in ("preset", "size", "seed", "style_scale")]


def _job_starter(
    names: list[str], begin: Callable[[str | None, object], StudioJob]
) -> Callable[..., str]:
    """Begins a job; answers with its identity and title, or with what is wrong, in JSON."""

    def start_job(text: str, *values: Any, request: gr.Request) -> str:
        try:
            job = begin(request.username, _complete(text, names, values))
        except ImpastoError as error:
            return json.dumps({"error": " ".join(str(error).split())})
        return json.dumps({"job": job.identity, "title": job.title})

    return _with_request(start_job)


def _command_writer(studio: Studio, names: list[str]) -> Callable[..., tuple[str, str]]:
    """The command line of what is chosen, or why there is none, and the settings as JSON."""

    def write_command(text: str, *values: Any, request: gr.Request) -> tuple[str, str]:
        settings = ""
        try:
            settings = json.dumps(settings_of(names, values))
            order = _complete(text, names, values)
            return studio.command(request.username, order), settings
        except ImpastoError as error:
            return f"# {' '.join(str(error).split())}", settings

    return _with_request(write_command)


def _with_request(function: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """The same for Gradio, which finds the request by its annotation among the positions."""

    def call(request: gr.Request, text: str, *values: Any) -> _Answer:
        return function(text, *values, request=request)

    call.__annotations__ = {"request": gr.Request}
    return call


def _complete(text: str, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """The page's order: its pictures and regions, and the settings of the controls."""
    if not text:
        raise SettingsError("choose a photograph and a style first")
    try:
        request = json.loads(text)
    except ValueError as error:
        raise SettingsError("the page sent an order that cannot be read") from error
    if not isinstance(request, dict):
        raise SettingsError("the page sent an order that cannot be read")
    return {**request, "settings": settings_of(names, values)}


def _preset_filler(names: list[str]) -> Callable[[str, str], list[Any]]:
    """Answers with a preset and what the controls hold for it.

    Gradio calls a menu's input whenever the keyboard leaves it; where the preset is the one before,
    the controls stay as they are.
    """

    def fill(preset: str, before: str) -> list[Any]:
        if preset == before:
            return [gr.skip()] * (1 + len(_names_of_preset(names)))
        settings = Settings(preset=preset).model_dump(mode="json")
        return [preset, *values_of(settings, _names_of_preset(names))]

    return fill


def _order_filler(names: list[str]) -> Callable[..., list[Any]]:
    """Answers with the preset of an order and what the controls hold for it.

    ``kept`` in the order leaves those controls as they are whose settings it does not name.
    """

    def fill(text: str, *values: Any) -> list[Any]:
        asked = json.loads(text)
        known = {name: value for name, value in asked["settings"].items() if name in names}
        if asked.get("kept"):
            new = {name: control_value(name, value) for name, value in known.items()}
            held = [new.get(name, value) for name, value in zip(names, values, strict=True)]
        else:
            held = values_of(known, names)
        return [held[names.index("preset")], *held]

    return fill

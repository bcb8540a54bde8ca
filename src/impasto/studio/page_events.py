"""What happens on the page: which function each button and each control calls.

The page's script, ``window.impasto``, fills in what Gradio's controls do not know: pictures and
regions come as the text of an order in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError, SettingsError
from impasto.files import reason_of
from impasto.studio.setting_controls import Control, control_value, settings_of, values_of
from impasto.studio.studio import Studio
from impasto.studio.studio_job import StudioJob

# The script is there when all of the page is; a click may come before.
_ORDER = "(order, ...rest) => [window.impasto?.order() ?? '', ...rest]"
_RESTORING = "(order, ...rest) => [window.impasto.restoring(), ...rest]"
_RESTORED = "() => { window.impasto.restoredControls(); }"
_FAILED = "() => { window.impasto.failed(); }"
_ANSWER = "(answer) => { window.impasto?.answered(answer); }"
_PRESET = "(preset) => { window.impasto?.presetChosen(preset); }"
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


_QUIET: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}


def wire_orders(studio: Studio, page: PageParts) -> None:
    """Wires the buttons that begin a job, and what follows every change.

    A change writes the command anew, and has the script remember what is chosen in this tab.
    """
    names, controls = list(page.controls), list(page.controls.values())

    def write_command(request: gr.Request, text: str, *values: Any) -> tuple[str, str]:
        """The command line, or why there is none, and the settings as JSON."""
        settings = ""
        try:
            settings = json.dumps(settings_of(names, values))
            order = _complete(text, names, values)
            return studio.command(request.username, order), settings
        except ImpastoError as error:
            return f"# {reason_of(error)}", settings

    order, answer, choice = (page.hidden[name] for name in ("order", "answer", "choice"))
    for name, begin in (("paint", studio.paint), ("variations", studio.variations)):
        page.buttons[name].click(
            _job_starter(names, begin), [order, *controls], [answer], js=_ORDER, **_QUIET
        ).success(None, [answer], None, js=_ANSWER).failure(None, [], None, js=_FAILED)
    gr.on(
        [page.buttons["refresh"].click, *(control.change for control in controls)],
        write_command,
        [order, *controls],
        [page.command, choice],
        js=_ORDER,
        trigger_mode="always_last",
        **_QUIET,
    ).then(None, [choice], None, js=_CHOICE)


def wire_settings(page: PageParts) -> None:
    """Wires what fills the controls: a preset, and an order that is restored."""
    names, controls = list(page.controls), list(page.controls.values())
    users_own = ("preset", "size", "seed", "style_scale")  # what a preset leaves as it is
    filled = {name: part for name, part in page.controls.items() if name not in users_own}

    def fill_preset(preset: str, before: str) -> list[Any]:
        """The preset and what the controls hold for it.

        Gradio calls a menu's input whenever the keyboard leaves it; where the preset is the one
        before, the controls stay as they are.
        """
        if preset == before:
            return [gr.skip()] * (1 + len(filled))
        return [preset, *values_of({"preset": preset}, list(filled))]

    def fill_order(text: str, *values: Any) -> list[Any]:
        """The preset of an order and what the controls hold for it.

        ``kept`` in the order leaves those controls as they are whose settings it does not name.
        """
        asked = json.loads(text)
        known = {name: value for name, value in asked["settings"].items() if name in names}
        if asked.get("kept"):
            new = {name: control_value(name, value) for name, value in known.items()}
            held = [new.get(name, value) for name, value in zip(names, values, strict=True)]
        else:
            held = values_of(known, names)
        return [held[names.index("preset")], *held]

    preset, before = page.controls["preset"], page.hidden["before"]
    preset.input(fill_preset, [preset, before], [before, *filled.values()], **_QUIET)
    preset.change(None, [preset], None, js=_PRESET)
    page.buttons["restore"].click(
        fill_order,
        [page.hidden["order"], *controls],
        [before, *controls],
        js=_RESTORING,
        **_QUIET,
    ).then(None, [], None, js=_RESTORED)


def _job_starter(
    names: list[str], begin: Callable[[str | None, object], StudioJob]
) -> Callable[..., str]:
    """Begins a job; answers with its identity and title, or with what is wrong, in JSON."""

    def start_job(request: gr.Request, text: str, *values: Any) -> str:
        try:
            job = begin(request.username, _complete(text, names, values))
        except ImpastoError as error:
            return json.dumps({"error": reason_of(error)})
        return json.dumps({"job": job.identity, "title": job.title})

    return start_job


def _complete(text: str, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """The page's order: its pictures and regions, and the settings of the controls."""
    if not text:
        raise SettingsError("choose a photograph and a style first")
    try:
        request = json.loads(text)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise SettingsError("the page sent an order that cannot be read")
    return {**request, "settings": settings_of(names, values)}

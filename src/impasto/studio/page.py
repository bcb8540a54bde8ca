"""The page: what is to be seen, and which function each control calls.

Gradio has the settings' controls, the queue, the login and the API. Pictures, the stage in the
middle and the history are plain elements in `assets`, moved by the scripts there: they show what
`routes` tells, so that a run outlives a broken connection and a page that is loaded again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError, SettingsError
from impasto.settings.model import Settings
from impasto.settings.presets import PRESETS
from impasto.studio import controls
from impasto.studio.actions import Studio
from impasto.studio.api import add_endpoints
from impasto.studio.routes import ASSETS, PREFIX

# The page's script, `window.impasto`, is there when all of the page is; a click may come before.
_ORDER = "(order, ...rest) => [window.impasto?.order() ?? '', ...rest]"
_COLORS = "Whose: the style's, the photograph's own (content), or the style's moved towards them."
_FAILED = "() => { window.impasto.failed(); }"
_ANSWER = "(answer) => { window.impasto?.answered(answer); }"
_CHOICE = "(settings) => { window.impasto?.held(settings); }"
_USUAL = Settings().preset
HEAD = (
    f'<link rel="stylesheet" href="{PREFIX}/assets/studio.css">'
    f'<script type="module" src="{PREFIX}/assets/studio.js"></script>'
)


def page(studio: Studio, uploads: Path) -> gr.Blocks:
    """The whole page with its endpoints.

    Args:
        studio: what it acts on.
        uploads: where Gradio puts files that programs upload.
    """
    blocks = gr.Blocks(title="impasto studio", analytics_enabled=False, fill_width=True)
    with blocks:
        _fragment("header")
        with gr.Row(elem_id="studio", equal_height=False):
            with gr.Column(elem_id="studio-pictures", scale=0, min_width=280):
                _fragment("pictures")
            with gr.Column(elem_id="studio-middle", scale=1, min_width=320):
                _fragment("stage")
                with gr.Row(elem_id="studio-actions"):
                    paint = gr.Button("Paint", variant="primary", elem_id="paint")
                    variations = gr.Button("Variations", elem_id="variations")
            with gr.Column(elem_id="studio-settings", scale=0, min_width=300):
                held = _controls()
                command = gr.Code(
                    "# choose a photograph and a style first",
                    label="The same on the command line",
                    language="shell",
                    interactive=False,
                    lines=2,
                    wrap_lines=True,
                    elem_id="command",
                )
        _fragment("history")
        hidden = {
            name: gr.Textbox(value, visible="hidden", elem_id=f"hidden-{name}", label=name)
            for name, value in (("order", ""), ("answer", ""), ("choice", ""), ("before", _USUAL))
        }
        buttons = {"paint": paint, "variations": variations} | {
            name: gr.Button(name, visible="hidden", elem_id=name) for name in ("restore", "refresh")
        }
        _wire_orders(studio, held, hidden, buttons, command)
        _wire_settings(held, hidden, buttons["restore"])
        add_endpoints(studio, uploads)
    return blocks


def _fragment(name: str) -> None:
    text = (ASSETS / f"{name}.html").read_text(encoding="utf-8")
    gr.HTML(text, js_on_load=None, elem_id=f"fragment-{name}", apply_default_css=False)


def _controls() -> dict[str, Any]:
    """All controls by setting, the usual ones first."""
    held = {
        "preset": controls.control(
            "preset", choices=_presets(), info="Set of settings to begin with."
        ),
        "strength": controls.control("strength", info="From the photograph (0) to all style (1)."),
        "style_scale": controls.control(
            "style_scale",
            label="Style scale",
            info="Size of the strokes: 2 shows the style twice as large. One for each style if "
            "they differ: 0.5,2.",
        ),
        "size": gr.Dropdown(
            [*((f"{size} pixels", size) for size in controls.SIZES), ("as the photograph", 0)],
            value=512,
            allow_custom_value=True,
            label="Size",
            info="Long side of the result; twice the size takes four times as long.",
            elem_id="setting-size",
        ),
        "color": controls.control("color", info=_COLORS, label="Colours"),
        "seed": controls.control("seed", info="Another seed, another picture."),
        "feather": controls.control("feather", label="Soft edge of regions (feather)"),
    }
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        for title, names in controls.advanced().items():
            with gr.Accordion(title, open=False):
                for name in names:
                    held[name] = controls.control(name)
    return held


def _presets() -> list[tuple[str, str]]:
    return [
        (f"{name}: {preset.summary.partition(':')[0]}", name) for name, preset in PRESETS.items()
    ]


_QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "queue": False,
    "api_visibility": "private",
}


def _wire_orders(
    studio: Studio,
    held: dict[str, Any],
    hidden: dict[str, Any],
    buttons: dict[str, Any],
    command: Any,
) -> None:
    """What the buttons do, and what follows every change: the command, and the tab's memory."""
    names, parts = list(held), list(held.values())
    for name, act in (("paint", studio.paint), ("variations", studio.variations)):
        buttons[name].click(
            _ordered(names, act), [hidden["order"], *parts], [hidden["answer"]], js=_ORDER, **_QUIET
        ).success(None, [hidden["answer"]], None, js=_ANSWER).failure(None, [], None, js=_FAILED)
    gr.on(
        [buttons["refresh"].click, *(part.change for part in parts)],
        _command(studio, names),
        [hidden["order"], *parts],
        [command, hidden["choice"]],
        js=_ORDER,
        trigger_mode="always_last",
        **_QUIET,
    ).then(None, [hidden["choice"]], None, js=_CHOICE)


def _wire_settings(held: dict[str, Any], hidden: dict[str, Any], restore: Any) -> None:
    """What fills the controls: a preset, and an order that is restored."""
    names, parts, before = list(held), list(held.values()), hidden["before"]
    held["preset"].input(
        _preset_values(names),
        [held["preset"], before],
        [before, *(held[name] for name in _of_preset(names))],
        **_QUIET,
    )
    restore.click(
        _restored(names),
        [hidden["order"], *parts],
        [before, *parts],
        js="(order, ...rest) => [window.impasto.restoring(), ...rest]",
        **_QUIET,
    ).then(None, [], None, js="() => { window.impasto.restoredControls(); }")


def _of_preset(names: list[str]) -> list[str]:
    """The settings that a preset sets anew: all but those that say what the user is about."""
    return [name for name in names if name not in ("preset", "size", "seed", "style_scale")]


def _ordered(names: list[str], act: Callable[[str | None, object], Any]) -> Callable[..., str]:
    def ordered(text: str, *values: Any, request: gr.Request) -> str:
        try:
            job = act(request.username, _complete(text, names, values))
        except ImpastoError as error:
            return json.dumps({"error": " ".join(str(error).split())})
        return json.dumps({"job": job.identity, "title": job.title})

    return _with_request(ordered)


def _command(studio: Studio, names: list[str]) -> Callable[..., Any]:
    """The command line of what is chosen, or why there is none, and the settings as JSON."""

    def told(text: str, *values: Any, request: gr.Request) -> tuple[str, str]:
        settings = ""
        try:
            settings = json.dumps(controls.settings_of(names, values))
            order = _complete(text, names, values)
            return studio.command(request.username, order), settings
        except ImpastoError as error:
            return f"# {' '.join(str(error).split())}", settings

    return _with_request(told)


def _with_request(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for Gradio, which finds the request by its annotation among the positions."""

    def called(request: gr.Request, text: str, *values: Any) -> Any:
        return function(text, *values, request=request)

    called.__annotations__ = {"request": gr.Request}
    return called


def _complete(text: str, names: list[str], values: tuple[Any, ...]) -> dict[str, Any]:
    """The page's order: its pictures and regions, and the settings of the controls."""
    if not text:
        raise SettingsError("choose a photograph and a style first")
    try:
        request = json.loads(text)
    except ValueError as error:
        raise SettingsError("the page sent an order that cannot be read") from error
    if not isinstance(request, dict):
        raise SettingsError("the page sent an order that cannot be read")
    return {**request, "settings": controls.settings_of(names, values)}


def _preset_values(names: list[str]) -> Callable[[str, str], list[Any]]:
    """The preset, and what the controls hold for it.

    Gradio calls a menu's input whenever the keyboard leaves it; where the preset is the one before,
    the controls stay as they are.
    """

    def values(preset: str, before: str) -> list[Any]:
        if preset == before:
            return [gr.skip()] * (1 + len(_of_preset(names)))
        settings = Settings(preset=preset).model_dump(mode="json")
        return [preset, *controls.values_of(settings, _of_preset(names))]

    return values


def _restored(names: list[str]) -> Callable[..., list[Any]]:
    """The preset, and what the controls hold for an order.

    ``kept`` leaves the controls as they are that the order does not name.
    """

    def values(text: str, *values: Any) -> list[Any]:
        asked = json.loads(text)
        known = {name: value for name, value in asked["settings"].items() if name in names}
        if asked.get("kept"):
            new = {name: controls.control_value(name, value) for name, value in known.items()}
            held = [new.get(name, value) for name, value in zip(names, values, strict=True)]
        else:
            held = controls.values_of(known, names)
        return [held[names.index("preset")], *held]

    return values

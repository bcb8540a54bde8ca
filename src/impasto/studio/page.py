"""The page: what is to be seen on it, and where.

Gradio has the settings' controls, the login and the API. Pictures, the stage in the middle and the
history are plain elements in `assets`, moved by the scripts there. They show what `page_routes`
sends, so that a job outlives a broken connection and a page that is loaded again.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from impasto.settings.model import Settings
from impasto.settings.presets import PRESETS
from impasto.studio.api import add_endpoints
from impasto.studio.page_events import PageParts, wire_orders, wire_settings
from impasto.studio.page_routes import ASSETS, PREFIX
from impasto.studio.setting_controls import (
    OPTIMISED,
    SIZES,
    Control,
    advanced_settings,
    is_optimised,
    make_control,
)
from impasto.studio.studio import Studio

_COLORS = "Whose: the style's, the photograph's own (content), or the style's moved towards them."
_USUAL = Settings().preset
HEAD = (
    f'<link rel="stylesheet" href="{PREFIX}/assets/studio.css">'
    f'<script type="module" src="{PREFIX}/assets/studio.js"></script>'
)


def build_page(studio: Studio, uploads: Path) -> gr.Blocks:
    """The whole page with its endpoints.

    Args:
        studio: what it acts on.
        uploads: where Gradio puts files that programs upload.
    """
    blocks = gr.Blocks(title="impasto studio", analytics_enabled=False, fill_width=True)
    with blocks:
        _add_fragment("header")
        with gr.Row(elem_id="studio", equal_height=False):
            with gr.Column(elem_id="studio-pictures", scale=0, min_width=280):
                _add_fragment("pictures")
            with gr.Column(elem_id="studio-middle", scale=1, min_width=320):
                _add_fragment("stage")
                with gr.Row(elem_id="studio-actions"):
                    paint = gr.Button("Paint", variant="primary", elem_id="paint")
                    variations = gr.Button("Variations", elem_id="variations")
            with gr.Column(elem_id="studio-settings", scale=0, min_width=300):
                controls = _add_controls()
                command = gr.Code(
                    "# choose a photograph and a style first",
                    label="The same on the command line",
                    language="shell",
                    interactive=False,
                    lines=2,
                    wrap_lines=True,
                    elem_id="command",
                )
        _add_fragment("history")
        hidden = {
            name: gr.Textbox(value, visible="hidden", elem_id=f"hidden-{name}", label=name)
            for name, value in (("order", ""), ("answer", ""), ("choice", ""), ("before", _USUAL))
        }
        buttons = {"paint": paint, "variations": variations} | {
            name: gr.Button(name, visible="hidden", elem_id=name) for name in ("restore", "refresh")
        }
        parts = PageParts(controls, hidden, buttons, command)
        wire_orders(studio, parts)
        wire_settings(parts)
        add_endpoints(studio, uploads)
    return blocks


def _add_fragment(name: str) -> None:
    text = (ASSETS / f"{name}.html").read_text(encoding="utf-8")
    gr.HTML(text, js_on_load=None, elem_id=f"fragment-{name}", apply_default_css=False)


def _add_controls() -> dict[str, Control]:
    """Adds all controls, the usual ones first; returns them by setting."""
    presets = [(f"{name}: {one.summary.partition(':')[0]}", name) for name, one in PRESETS.items()]
    controls: dict[str, Control] = {
        "preset": make_control("preset", choices=presets, info="Set of settings to begin with."),
    }
    _add_fragment("at-once")
    controls |= {
        "strength": make_control("strength", info="From the photograph (0) to all style (1)."),
        "style_scale": make_control(
            "style_scale",
            label="Style scale",
            info="Size of the strokes: 2 shows the style twice as large. One for each style if "
            "they differ: 0.5,2.",
        ),
        "size": gr.Dropdown(
            [*((f"{size} pixels", size) for size in SIZES), ("as the photograph", 0)],
            value=512,
            allow_custom_value=True,
            label="Size",
            info="Long side of the result; twice the size takes four times as long.",
            elem_id="setting-size",
        ),
        "color": make_control("color", info=_COLORS, label="Colours"),
        "seed": make_control("seed", info="Another seed, another picture."),
        "feather": make_control("feather", label="Soft edge of regions (feather)"),
    }
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        for title, names in advanced_settings().items():
            classes = [OPTIMISED] if is_optimised(names) else []
            with gr.Accordion(title, open=False, elem_classes=classes):
                for name in names:
                    controls[name] = make_control(name)
    return controls

"""The page's colours and type: calm, warm greys, one accent; fonts of the system alone."""

from __future__ import annotations

import gradio as gr

_FONTS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_FIXED = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
_ACCENT = gr.themes.Color(
    name="ultramarine",
    c50="#eef2fb",
    c100="#dbe4f7",
    c200="#bccbef",
    c300="#93aae3",
    c400="#6d89d4",
    c500="#4a68bf",
    c600="#3a54a4",
    c700="#304585",
    c800="#2a3b6c",
    c900="#26345a",
    c950="#181f38",
)
_COLORS = {
    "body_background_fill": ("#f6f4f0", "#171614"),
    "block_background_fill": ("#fffefb", "#211f1d"),
    "background_fill_primary": ("#fffefb", "#211f1d"),
    "background_fill_secondary": ("#f1eee8", "#2a2825"),
    "border_color_primary": ("#e0dbd1", "#3a3733"),
    "input_background_fill": ("#ffffff", "#191816"),
    "button_primary_background_fill": ("*primary_600", "*primary_500"),
    "button_primary_background_fill_hover": ("*primary_700", "*primary_400"),
    "button_primary_text_color": ("#ffffff", "#ffffff"),
    "body_text_color_subdued": ("#6b665d", "#a8a196"),
    "block_info_text_color": ("#6b665d", "#a8a196"),
}
"""Colours by Gradio's names: in light, in dark."""


def build_theme() -> gr.themes.Base:
    """The theme, light and dark."""
    return gr.themes.Base(
        primary_hue=_ACCENT,
        secondary_hue=_ACCENT,
        neutral_hue="stone",
        font=list(_FONTS),
        font_mono=list(_FIXED),
    ).set(
        **{name: light for name, (light, _) in _COLORS.items()},
        **{f"{name}_dark": dark for name, (_, dark) in _COLORS.items()},
        block_border_width="0px",
        block_shadow="none",
        block_shadow_dark="none",
        block_label_background_fill="transparent",
        block_title_text_weight="600",
        input_border_width="1px",
    )

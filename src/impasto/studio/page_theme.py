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


def build_theme() -> gr.themes.Base:
    """The theme, light and dark."""
    return gr.themes.Base(
        primary_hue=_ACCENT,
        secondary_hue=_ACCENT,
        neutral_hue="stone",
        radius_size="md",
        spacing_size="md",
        font=list(_FONTS),
        font_mono=list(_FIXED),
    ).set(
        body_background_fill="#f6f4f0",
        body_background_fill_dark="#171614",
        block_background_fill="#fffefb",
        block_background_fill_dark="#211f1d",
        background_fill_primary="#fffefb",
        background_fill_primary_dark="#211f1d",
        background_fill_secondary="#f1eee8",
        background_fill_secondary_dark="#2a2825",
        border_color_primary="#e0dbd1",
        border_color_primary_dark="#3a3733",
        block_border_width="0px",
        block_shadow="none",
        block_shadow_dark="none",
        block_label_background_fill="transparent",
        block_title_text_weight="600",
        input_background_fill="#ffffff",
        input_background_fill_dark="#191816",
        input_border_width="1px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        body_text_color_subdued="#6b665d",
        body_text_color_subdued_dark="#a8a196",
        block_info_text_color="#6b665d",
        block_info_text_color_dark="#a8a196",
    )

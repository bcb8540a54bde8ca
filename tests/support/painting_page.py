"""What tests of the page that paints share: model, photographs, and PyTorch's pictures."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from impasto.exporting import page as exported
from impasto.feedforward.model import FAINT, KNOTS, Model
from impasto.feedforward.network import FILM_SIZE, forward, initial_kernels

Pixels = NDArray[np.uint8]


def made_up_model() -> Model:
    """Random kernels, and two styles of random films: what they paint has every colour."""
    generator = torch.Generator().manual_seed(5)
    films = {
        name: torch.randn(len(KNOTS), FILM_SIZE, generator=generator) * 0.3
        for name in ("night </script> & stars", "waves")
    }
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (30, 60, 140)).save(buffer, "JPEG")
    facts = {"licence": "For the tests alone."}
    thumbnails = {"style.0": buffer.getvalue(), "style.1": buffer.getvalue()}
    return Model(initial_kernels(3), films, 256, facts, thumbnails=thumbnails)


MODEL = made_up_model()


def photograph(width: int, height: int) -> bytes:
    """A PNG of coarse colours with fine noise."""
    generator = np.random.default_rng(width)
    coarse = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    picture = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    picture = picture + generator.integers(-20, 21, picture.shape)
    whole = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    whole.save(buffer, "PNG")
    return buffer.getvalue()


def pixels_of(data: bytes) -> Pixels:
    """A picture's file, as (H, W, 4)."""
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("RGBA"))


def canvas(page: Page, name: str) -> Pixels:
    """What a canvas of the page holds, (H, W, 4)."""
    found = page.evaluate(
        """(name) => {
          const c = document.getElementById(name);
          const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
          return [c.height, c.width, Array.from(data)];
        }""",
        name,
    )
    return np.array(found[2], np.uint8).reshape(found[0], found[1], 4)


def until(page: Page, condition: str) -> None:
    """Waits. Playwright's own way evaluates text in the page, which the page does not allow."""
    end = time.monotonic() + 240
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not within four minutes: {condition}"
        page.wait_for_timeout(20)


def painted(page: Page, data: bytes, side: int, strength: int = 100) -> tuple[Pixels, Pixels]:
    """Photograph and painting, as the page shows them."""
    page.select_option("#side", str(side))
    page.fill("#strength", str(strength))
    asked = page.evaluate("state.asked")
    page.set_input_files("#file", {"name": "photo.png", "mimeType": "image/png", "buffer": data})
    until(page, f"state.asked > {asked} && !state.painting")
    return canvas(page, "before"), canvas(page, "after")


@cache
def rounded_model() -> Model:
    """`MODEL` with the kernels that its page has: what an engine paints is this to the pixel."""
    _, kernels = exported._quantised_well(MODEL, "a.html")
    back = {name: whole * scale[:, None, None, None] for name, (whole, scale) in kernels.items()}
    return replace(MODEL, kernels={**MODEL.kernels, **back})


def expected(
    photo: Pixels, style: str, strength: float, model: Model = MODEL
) -> NDArray[np.float32]:
    """What PyTorch paints, (H, W, 3), 0..255; sides of 16 at least 32."""
    picture = torch.from_numpy(photo[..., :3].copy()).permute(2, 0, 1)[None].float() / 255
    height, width = picture.shape[2:]
    below, beside = (max(-side % 16, 32 - side) for side in (height, width))
    around = (beside // 2, beside - beside // 2, below // 2, below - below // 2)
    wide = torch.nn.functional.pad(picture, around, mode="replicate")
    found = forward(model.kernels, model.film(style, max(strength, FAINT)), wide)
    top, left = below // 2, beside // 2
    found = found[:, :, top : top + height, left : left + width]
    found = picture.lerp(found, min(strength / FAINT, 1))
    result: NDArray[np.float32] = (found[0].permute(1, 2, 0) * 255).numpy()
    return result


def painted_by(page: Page, engine: str, photo: Pixels) -> tuple[Pixels, str]:
    """What one engine of the page paints of (H, W, 4), and which one did it."""
    height, width = photo.shape[:2]
    pixels, by = page.evaluate(
        """async ([engine, values, width, height]) => {
          const before = state.engine;
          state.engine = engine;
          find("strength").value = 100;
          const asked = ask(new Uint8ClampedArray(values), width, height);
          state.engine = before;
          const answer = await asked;
          return [Array.from(answer.pixels), answer.engine];
        }""",
        [engine, photo.flatten().tolist(), width, height],
    )
    return np.array(pixels, np.uint8).reshape(photo.shape), by


def off_at_most(found: Pixels, photo: Pixels) -> float:
    """The largest deviation from what PyTorch paints with the page's kernels, in 255ths.

    Half of one comes of rounding to bytes. A border one position wide shows, as a mean hides it.
    """
    wanted = expected(photo, next(iter(MODEL.films)), 1.0, rounded_model())
    return float(np.abs(found[..., :3] - wanted).max())

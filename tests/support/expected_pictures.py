"""What sources of pictures should hold, worked out from the samples that were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import settings, strategies as st
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.pictures.image import Image, open_image

Floats = NDArray[np.float64]

STEP = {8: 1 / 255, 16: 1 / 65535}
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
SEEDS = st.integers(0, 2**32 - 1)
# Lowest and highest value of floats.
RANGES = {
    "whole": (0.0, 1.0),
    "dark": (0.0, 0.003),
    "overshoot": (-0.1, 1.1),
    "bytes": (0.0, 255.0),
    "counts": (0.0, 40000.0),
    "hdr": (0.0, 6.0),
    "signed": (-1.0, 1.0),
    "normalised": (-2.0, 2.5),
}
SLIGHT = 0.15  # docs/formats.md


def files(count: int) -> settings:
    """The same files in every run."""
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


@dataclass
class Expected:
    """What a source holds: (H, W, 3) and (H, W), 0..1, and how far it may be from that."""

    color: Floats
    alpha: Floats | None
    tolerance: float


def check(source: Any, expected: Expected | None) -> Image | None:
    """A source comes in as it should; None says that it must be refused."""
    if expected is None:
        with pytest.raises(ImpastoError) as caught:
            open_image(source)
        assert "\n" not in str(caught.value)
        return None
    image = open_image(source)
    found = image.pixels[0].permute(1, 2, 0).numpy().astype(np.float64)
    alpha = np.ones(found.shape[:2]) if expected.alpha is None else expected.alpha
    opened = np.ones(found.shape[:2]) if image.alpha is None else image.alpha[0, 0].numpy()
    assert found.shape == (*alpha.shape, 3)
    assert np.abs(opened - alpha).max() <= expected.tolerance + 1e-6
    # Colours that nobody sees are replaced.
    far = np.abs(found - expected.color).max(2) * (opened > 0)
    assert far.max() <= expected.tolerance + 1e-6
    return image


def integers(rng: np.random.Generator, shape: tuple[int, ...], highest: int) -> NDArray[np.uint64]:
    """Samples in all of their range, the ends often."""
    drawn = rng.integers(0, highest, shape, np.uint64, endpoint=True)
    ends = rng.choice(np.array([0, 1, highest // 2, highest], np.uint64), shape)
    return np.where(rng.random(shape) < 0.3, ends, drawn)


def floats(rng: np.random.Generator, shape: tuple[int, ...], within: str) -> Floats:
    """Samples that reach both ends of a range."""
    lowest, highest = RANGES[within]
    samples = rng.uniform(lowest, highest, shape)
    samples.flat[0], samples.flat[-1] = lowest, highest
    return samples


def are_samples(values: NDArray[Any]) -> bool:
    """Whether floats are 0..1, or a little outside."""
    return bool(np.isfinite(values).all() and (abs(values - 0.5) <= 0.5 + SLIGHT).all())

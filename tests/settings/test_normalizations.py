"""Losses that are scaled as a text has them take what the text has."""

import pytest

from impasto.errors import SettingsError
from impasto.settings.model import Settings


def test_the_spectrum_is_left_out_unless_it_is_asked_for() -> None:
    plain = {"style_loss": "gram", "content_loss": "features"}
    assert Settings(normalization="gatys", **plain).spectrum_weight == 0
    with pytest.raises(SettingsError, match="spectrum_weight = 1 needs normalization scale-free"):
        Settings(preset="gatys", spectrum_weight=1)

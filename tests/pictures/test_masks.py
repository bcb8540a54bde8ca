"""What a mask says."""

from __future__ import annotations

import numpy as np
import torch

from impasto.pictures.image import open_image
from impasto.pictures.masks import is_blank, share_of


def test_what_masks_say() -> None:
    shape = torch.zeros(1, 1, 8, 12)
    shape[..., :6] = 1
    grey = shape * 0.5 + 0.25
    white = open_image(grey.expand(1, 3, -1, -1))
    assert torch.allclose(share_of(white), grey)
    for color in (0.0, 0.6, 1.0):  # all of one colour: the opacity is the shape
        flat = open_image(torch.cat([torch.full((1, 3, 8, 12), color), grey], 1))
        assert torch.allclose(share_of(flat), grey)
    both = torch.cat([shape.expand(1, 3, -1, -1), torch.full((1, 1, 8, 12), 0.5)], 1)
    assert torch.allclose(share_of(open_image(both)), shape * 0.5)
    see_through = torch.zeros(1, 4, 8, 12)
    assert is_blank(share_of(open_image(see_through)))
    assert not is_blank(shape)


def test_masks_follow_the_rule_of_scales() -> None:
    shape = np.zeros((8, 12), bool)
    shape[:, :6] = True
    expected = torch.from_numpy(shape).float()[None, None]
    for mask in (shape, shape * np.uint16(65535), shape * 1.04, torch.from_numpy(shape)[None]):
        assert torch.equal(share_of(open_image(mask)), expected)

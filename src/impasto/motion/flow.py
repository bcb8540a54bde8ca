"""Optical flow between two frames, by OpenCV's DIS.

Source: Kroeger, Timofte, Dai, Van Gool, Fast Optical Flow using Dense Inverse Search, ECCV 2016,
in OpenCV's preset "medium". The preset stops at half size; here it goes on to single pixels,
because a film that is warped along its flow for many frames shows every error of it. Where a frame
does not show motion, DIS guesses; there the flow is smoothed (`unseen`). DIS takes both frames to
be in one light, so that in a fade or a flash their histograms are matched first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from impasto.errors import MissingExtraError
from impasto.motion.unseen import Luma, smooth_unseen
from impasto.motion.warping import warp

_LEAST_SIDE = 24
"""OpenCV's DIS refuses pictures that are too small for a few of its patches of 8 pixels."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_QUANTILES = np.linspace(0, 1, 129)
_SAMPLES = 20_000  # so many pixels tell how light and dark a frame is
_SAME_LIGHT = 0.02
"""Histograms that are nearer than this, on average, differ by what moves and not by light."""


def find_flow(first: Tensor, second: Tensor, guess: Tensor | None = None) -> Tensor:
    """Where everything in ``first`` has gone in ``second``.

    The result does not depend on the number of threads.

    Args:
        first: (1, 3, H, W), sRGB 0..1.
        second: the same size.
        guess: a flow to begin from, such as `join_flows` gives between distant frames.

    Returns:
        (1, 2, H, W), pixels, x before y: what is at p in ``first`` is at p + flow(p) in ``second``.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    cv2 = import_opencv()
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    lumas = _in_one_light(_luma(first), _luma(second))
    begin = None if guess is None else _padded(guess)[0].permute(1, 2, 0).contiguous().cpu().numpy()
    flow = search.calc(*(np.rint(luma * 255).astype(np.uint8) for luma in lumas), begin)
    found = torch.from_numpy(np.ascontiguousarray(flow.transpose(2, 0, 1)))[None]
    found = smooth_unseen(found, *lumas, cv2)
    height, width = first.shape[-2:]
    return found[..., :height, :width].contiguous().to(first.device)


def join_flows(first: Tensor, second: Tensor) -> Tensor:
    """The flow from a frame to a third one by way of a second, (1, 2, H, W).

    What is hidden in the second frame is lost. It is a good guess for `find_flow` between frames
    that are far apart.

    Args:
        first: the flow from the frame to the second one, (1, 2, H, W), pixels.
        second: the flow from there to the third one.
    """
    return first + warp(second, first)


def import_opencv() -> Any:
    """OpenCV; asking for it early says what is missing before any work.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError(
            "following the motion of a film needs OpenCV: pip install 'impasto[video]'"
        ) from error
    return cv2


def _luma(picture: Tensor) -> Luma:
    """Luma (H, W), 0..1, at least of the least size."""
    weights = picture.new_tensor(_LUMA).view(1, 3, 1, 1)
    luma = (picture * weights).sum(1, keepdim=True).clamp(0, 1)
    pixels: Luma = _padded(luma)[0, 0].cpu().numpy()
    return pixels


def _padded(values: Tensor) -> Tensor:
    """Values (1, C, H, W) with their last row and column repeated up to the least size."""
    missing = [max(0, _LEAST_SIDE - side) for side in values.shape[-2:]]
    return functional.pad(values, (0, missing[1], 0, missing[0]), mode="replicate")


def _in_one_light(first: Luma, second: Luma) -> tuple[Luma, Luma]:
    """Both frames in the light of the one with more contrast, where the light has changed."""
    own, other = (
        np.quantile(luma.ravel()[:: max(1, luma.size // _SAMPLES)], _QUANTILES)
        for luma in (first, second)
    )
    if np.abs(own - other).mean() < _SAME_LIGHT:
        return first, second
    if own[-1] - own[0] > other[-1] - other[0]:
        return first, _mapped(second, other, own)
    return _mapped(first, own, other), second


def _mapped(luma: Luma, own: Any, wanted: Any) -> Luma:
    """``luma`` with the quantiles ``wanted``, having quantiles ``own``."""
    mapped: Luma = np.interp(luma, own, wanted).astype(np.float32)
    return mapped

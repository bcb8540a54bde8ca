"""The frames of one shot, each tied to those before it by the motion between them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.losses.temporal import Tie
from impasto.motion.consistency import find_holes, find_still
from impasto.motion.filling import fill_holes
from impasto.motion.flow import find_flow
from impasto.motion.long_term import long_term_weights
from impasto.motion.warping import warp
from impasto.pictures.resizing import Size, resize
from impasto.video.frame_painter import FramePainter, PaintedFrame
from impasto.video.mask_film import MaskedFrame

GAPS = (1, 4, 8)
"""Frames are tied to those so many before, or to the shot's first where it began later."""

TIE = 130.0
"""Weight of the temporal loss at steadiness 1, in units of the loss of the shot's first frame."""

TIE_AT_ONCE = 8.0
"""The same where a network paints: in units of the squared distance to what it paints."""

CREEP = 1.06
"""So many times the loss of the shot's first frame ask for more evaluations."""

LEVELS = 65535
"""Painted frames are rounded to 16 bits before the next one follows them: what is kept on the disk
is then all that the rest of the shot depends on."""


@dataclass(frozen=True, eq=False)
class PastFrame:
    """A frame that later ones are tied to.

    Attributes:
        frame: (1, 3, H, W), the film's own at the painting's size, sRGB 0..1.
        painted: (1, 3, H, W), as it was painted.
    """

    frame: Tensor
    painted: Tensor


@dataclass(frozen=True)
class SteadySettings:
    """How firmly frames hold to those before.

    Attributes:
        steadiness: 0 for the start alone, 1 for the firmest.
        boil: share of each frame that begins anew, 0 to 1.
    """

    steadiness: float = 0.5
    boil: float = 0.0


@dataclass(eq=False)
class ShotPainter:
    """Paints a shot frame by frame.

    Args:
        painter: of single frames.
        size: height and width of the result.
        steady: how firmly frames hold to those before.

    Attributes:
        seconds: spent on motion and painting since they were last cleared.
        warping_error: of the last frame, `warping_error`; None for a shot's first frame.
    """

    painter: FramePainter
    size: Size
    steady: SteadySettings = field(default_factory=SteadySettings)
    seconds: dict[str, float] = field(default_factory=dict, init=False)
    warping_error: float | None = field(default=None, init=False)
    _past: deque[PastFrame] = field(default_factory=lambda: deque(maxlen=max(GAPS)), init=False)
    _first_loss: float = field(default=0.0, init=False)

    def begin(self, past: Sequence[PastFrame] = (), first_loss: float = 0.0) -> None:
        """Forgets all frames, or goes on after those that were painted before.

        Args:
            past: the shot's last frames, as many as `GAPS` asks for, in order.
            first_loss: of the shot's first frame.
        """
        self._past = deque(past, maxlen=max(GAPS))
        self._first_loss = first_loss

    @property
    def first_loss(self) -> float:
        """The loss of the shot's first frame; see `begin`."""
        return self._first_loss

    def paint(self, frame: MaskedFrame) -> PaintedFrame:
        """The shot's next frame, of any size. Raises as `FramePainter`."""
        own = resize(frame.frame.pixels, self.size).clamp(0, 1)
        if not self._past:
            painted = self._timed("painting", lambda: self.painter.still(frame))
            self._first_loss, self.warping_error = painted.loss, None
        else:
            painted = self._follow(frame, own)
        pixels = painted.pixels.mul(LEVELS).round_().div_(LEVELS)
        painted = PaintedFrame(pixels, painted.losses, painted.evaluations)
        self._past.append(PastFrame(own, painted.pixels))
        return painted

    def _follow(self, frame: MaskedFrame, own: Tensor) -> PaintedFrame:
        began = time.perf_counter()
        start, ties, still = self._led(own)
        self._add("motion", time.perf_counter() - began)
        enough = CREEP * self._first_loss
        painted = self._timed("painting", lambda: self.painter.follow(frame, start, ties, enough))
        if still is not None:
            kept = painted.pixels.lerp(self._past[-1].painted, still)
            painted = PaintedFrame(kept, painted.losses, painted.evaluations)
        self.warping_error = _warping_error(painted.pixels, ties[0]) if ties else None
        return painted

    def _led(self, own: Tensor) -> tuple[Tensor, list[Tie], Tensor | None]:
        """Where the motion leads: what the frame starts from, its ties, and what stands still."""
        starts, shares = [], []
        for gap in sorted({min(gap, len(self._past)) for gap in GAPS}):
            past = self._past[-gap]
            back, forth = find_flow(own, past.frame), find_flow(past.frame, own)
            holes = find_holes(past.frame, own, forth, back)
            starts.append(warp(past.painted, back))
            shares.append(1 - holes)
        start = fill_holes(starts[0], own, 1 - shares[0])
        ties = [
            Tie(picture, share, self._weight)
            for picture, share in zip(starts, long_term_weights(shares), strict=True)
            if self._weight
        ]
        still = find_still(self._past[-1].frame, own)
        still = torch.minimum(still, find_still(self._past[0].frame, own))
        start = start.lerp(self._past[-1].painted, still)
        return start, ties, still

    @property
    def _weight(self) -> float:
        loss = self._first_loss
        return self.steady.steadiness * (TIE * loss if loss else TIE_AT_ONCE)

    def _timed(self, what: str, work: Callable[[], PaintedFrame]) -> PaintedFrame:
        began = time.perf_counter()
        result = work()
        self._add(what, time.perf_counter() - began)
        return result

    def _add(self, what: str, seconds: float) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds


def _warping_error(painted: Tensor, tie: Tie) -> float:
    """Mean squared distance of a frame to the one before, warped, where the motion is known."""
    square = (painted - tie.picture).square().mean(1, keepdim=True)
    return float((square * tie.shares).sum() / tie.shares.sum().clamp_min(1))

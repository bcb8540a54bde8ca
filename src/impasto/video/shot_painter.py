"""The frames of one shot, each tied to those before it by the motion between them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from impasto.losses.temporal import Tie
from impasto.motion.consistency import find_holes
from impasto.motion.cuts import is_blank
from impasto.motion.filling import fill_holes
from impasto.motion.stillness import find_still
from impasto.motion.warping import warp
from impasto.pictures.resizing import Size, resize
from impasto.settings.model import Settings
from impasto.video.cut_finder import Passage
from impasto.video.frame_painter import FramePainter, PaintedFrame
from impasto.video.mask_film import MaskedFrame
from impasto.video.motion_trail import GAPS, GAPS_AT_ONCE, MotionTrail

TIE = 260.0
"""Weight of the temporal loss at steadiness 1, in units of the usual loss of the shot's frames."""

TIE_AT_ONCE = 8.0
"""The same where a network paints: in units of the squared distance to what it paints."""

STIR = 0.25
"""Standard deviation of the noise with which a part of a frame begins anew."""

CREEP = 1.02
"""So many times the usual loss of the shot's frames ask for more evaluations."""

LOOSE = 0.1
"""Share of the ties' weight while keyframes change the settings, and until all frames that are tied
to have the new ones: or the painting would lag behind."""

SAME_AREA = 0.1
"""Masks of regions that differ by less say the same: what differs more is painted in another style
than before, and is not tied to that."""

LEVELS = 65535
"""Painted frames are rounded to 16 bits before the next one follows them: what is kept on the disk
is then all that the rest of the shot depends on."""


@dataclass(frozen=True, eq=False)
class PastFrame:
    """A frame that later ones are tied to.

    Attributes:
        frame: (1, 3, H, W), the film's own at the painting's size, sRGB 0..1.
        painted: (1, 3, H, W), as it was painted.
        settings: with which it was painted.
        areas: (1, N, H, W), 0..1, the masks of its regions that are films; None where there are
            none.
    """

    frame: Tensor
    painted: Tensor
    settings: Settings
    areas: Tensor | None = None


@dataclass(eq=False)
class Strand:
    """Frames that were painted one after the other: as much of them as the next one depends on.

    Attributes:
        past: the last frames, in order.
        trail: the motion between them.
        usual_loss: what they reach, by which those that follow are judged.
    """

    past: deque[PastFrame] = field(default_factory=lambda: deque(maxlen=max(GAPS)))
    trail: MotionTrail = field(default_factory=MotionTrail)
    usual_loss: float = 0.0

    def copy(self) -> Strand:
        """The same frames; the two go on apart."""
        return Strand(self.past.copy(), self.trail.copy(), self.usual_loss)


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
        warping_error: of the last frame, `warping_error`; None for a frame that is painted as a
            still, and for one that is blank.
    """

    painter: FramePainter
    size: Size
    steady: SteadySettings = field(default_factory=SteadySettings)
    seconds: dict[str, float] = field(default_factory=dict, init=False)
    warping_error: float | None = field(default=None, init=False)
    _strand: Strand = field(default_factory=Strand, init=False)
    _kept: Strand = field(default_factory=Strand, init=False)

    @property
    def usual_loss(self) -> float:
        """What the last frames reach, by which those that follow are judged."""
        return self._strand.usual_loss

    def pass_on(self, passage: Passage) -> None:
        """Makes ready for the film's next frame, by how the film goes to it."""
        if passage.leaves:
            self.keep()
        if passage.returns:
            self._strand = self._kept.copy()
        if passage.begins:
            self.begin()

    def begin(self, past: Sequence[PastFrame] = (), usual_loss: float = 0.0) -> None:
        """Forgets all frames, or goes on after those that were painted before.

        Args:
            past: the last frames, as many as `GAPS` asks for, in order.
            usual_loss: as it was after the last of them.
        """
        trail = MotionTrail(GAPS_AT_ONCE if self.painter.at_once else GAPS)
        for one in past:
            trail.add(one.frame)
        self._strand = Strand(deque(past, maxlen=max(GAPS)), trail, usual_loss)

    def keep(self) -> None:
        """Keeps the frames so far, so that a flash can be painted and they be gone on with."""
        self._kept = self._strand.copy()

    def paint(self, frame: MaskedFrame) -> PaintedFrame:
        """The shot's next frame, of any size. Raises as `FramePainter`."""
        own = resize(frame.frame.pixels, self.size).clamp(0, 1)
        areas = areas_of(frame, self.size)
        settings = self.painter.task_of(frame).settings
        settled = all(past.settings == settings for past in self._strand.past)
        self._strand.trail.add(own)
        self.warping_error = None
        if not self._strand.past or not settings.weights.style:
            painted = self._timed("painting", lambda: self.painter.still(frame))
        elif is_blank(own):  # it shows nothing that could be painted, nor where things are
            painted = PaintedFrame(self._strand.past[-1].painted)
        else:
            painted = self._follow(frame, own, areas, settled)
        if painted.losses and not (self._strand.past and settled):
            self._strand.usual_loss = painted.loss
        pixels = painted.pixels.mul(LEVELS).round_().div_(LEVELS)
        painted = PaintedFrame(pixels, painted.losses, painted.evaluations)
        self._strand.past.append(PastFrame(own, painted.pixels, settings, areas))
        return painted

    def _follow(
        self, frame: MaskedFrame, own: Tensor, areas: Tensor | None, settled: bool
    ) -> PaintedFrame:
        """A frame after others, which were all painted with its settings if it is ``settled``."""
        began = time.perf_counter()
        alive = self.steady.boil > 0
        firm = self.steady.steadiness * (1 - self.steady.boil) * (1 if settled else LOOSE)
        start, ties, still = self._led(own, areas, firm)
        if alive:
            start = self._stirred(start, own, frame.frame.number)
        self._add("motion", time.perf_counter() - began)
        enough = CREEP * self.usual_loss
        painted = self._timed("painting", lambda: self.painter.follow(frame, start, ties, enough))
        if settled and not alive:
            kept = painted.pixels.lerp(self._strand.past[-1].painted, still)
            painted = PaintedFrame(kept, painted.losses, painted.evaluations)
        self.warping_error = _warping_error(painted.pixels, ties[0])
        return painted

    def _stirred(self, start: Tensor, own: Tensor, number: int) -> Tensor:
        """A start of which a share is the film's frame under noise, other noise for each frame."""
        noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(number))
        return start.lerp(own + STIR * noise, self.steady.boil).clamp(0, 1)

    def _led(
        self, own: Tensor, areas: Tensor | None, firm: float
    ) -> tuple[Tensor, list[Tie], Tensor]:
        """Where the motion leads: what the frame starts from, its ties, and what stands still."""
        starts, shares, still = list[Tensor](), list[Tensor](), None
        for gap, before, (back, forth) in self._strand.trail.links():
            past = self._strand.past[-gap]
            starts.append(warp(past.painted, back))
            shares.append(1 - find_holes(before, own, forth, back))
            same = find_still(before, own, back)
            if areas is not None and past.areas is not None:
                shares[-1] = shares[-1] * _alike(areas, warp(past.areas, back))
                same = same * _alike(areas, past.areas)
            still = same if still is None else torch.minimum(still, same)
        assert still is not None  # there is a frame before
        start = fill_holes(starts[0], own, 1 - shares[0])
        unit = TIE_AT_ONCE if self.painter.at_once else TIE * self.usual_loss
        ties = [
            Tie(picture, share, firm * unit / len(starts))
            for picture, share in zip(starts, shares, strict=True)
        ]
        return start.lerp(self._strand.past[-1].painted, still), ties, still

    def _timed(self, what: str, work: Callable[[], PaintedFrame]) -> PaintedFrame:
        began = time.perf_counter()
        result = work()
        self._add(what, time.perf_counter() - began)
        return result

    def _add(self, what: str, seconds: float) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds


def areas_of(frame: MaskedFrame, size: Size) -> Tensor | None:
    """The masks of a frame's regions at the painting's size, see `PastFrame`."""
    masks = [mask for key, mask in frame.masks.items() if isinstance(key, int)]
    return torch.cat([resize(mask, size).clamp(0, 1) for mask in masks], 1) if masks else None


def _alike(areas: Tensor, others: Tensor) -> Tensor:
    """Where masks (1, N, H, W) all say the same, (1, 1, H, W), 0 or 1."""
    return ((areas - others).abs().amax(1, keepdim=True) <= SAME_AREA).float()


def _warping_error(painted: Tensor, tie: Tie) -> float:
    """Mean squared distance of a frame to the one before, warped, where the motion is known."""
    square = (painted - tie.picture).square().mean(1, keepdim=True)
    return float((square * tie.shares).sum() / tie.shares.sum().clamp_min(1))

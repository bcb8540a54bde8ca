"""The motion of a shot: from its latest frame to the frames that it is tied to, and back.

Flow straight to a frame eight frames away is lost where things move fast. So flows of one frame are
joined to flows of two, these to flows of four and eight, and each is a guess that `find_flow` makes
exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from impasto.motion.flow import find_flow, join_flows

GAPS = (1, 4, 8)
"""A frame is tied to those so many frames before it, or to the shot's first if it began later."""

GAPS_AT_ONCE = (1,)
"""The same where a network paints: to find more motion would take longer than to paint."""


class Link(NamedTuple):
    """Motion between a frame and an earlier one.

    Attributes:
        back: flow from the frame to the earlier one, (1, 2, H, W), pixels.
        forth: flow from the earlier one to the frame.
    """

    back: Tensor
    forth: Tensor

    def after(self, earlier: Link) -> Link:
        """This link joined to one that goes on from its earlier frame."""
        back = join_flows(self.back, earlier.back)
        return Link(back, join_flows(earlier.forth, self.forth))


@dataclass(frozen=True, eq=False)
class _Node:
    """A frame, and its links that were asked for, by how many frames they go back."""

    frame: Tensor
    links: dict[int, Link] = field(default_factory=dict)


@dataclass(eq=False)
class MotionTrail:
    """The last frames of a shot and the motion between them, which is found when it is asked for.

    What `links` gives depends on the last nine frames alone, so that a trail may begin anew there.

    Args:
        gaps: `GAPS` or `GAPS_AT_ONCE`.
    """

    gaps: Sequence[int] = GAPS
    _nodes: deque[_Node] = field(default_factory=lambda: deque(maxlen=max(GAPS) + 1), init=False)

    def add(self, frame: Tensor) -> None:
        """Takes the shot's next frame, (1, 3, H, W), sRGB 0..1."""
        self._nodes.append(_Node(frame))

    def copy(self) -> MotionTrail:
        """The same frames; what is added to one of the two is not in the other."""
        trail = MotionTrail(self.gaps)
        trail._nodes.extend(self._nodes)
        return trail

    def links(self) -> list[tuple[int, Tensor, Link]]:
        """Of the latest frame: how far back, the earlier frame, the motion; the nearest first."""
        latest = len(self._nodes) - 1
        gaps = sorted({min(gap, latest) for gap in self.gaps} - {0})
        return [(gap, self._nodes[latest - gap].frame, self._link(latest, gap)) for gap in gaps]

    def _link(self, number: int, gap: int) -> Link:
        """Between a frame of the trail and the one so many before it."""
        known = self._nodes[number].links
        if gap not in known:
            now, then = self._nodes[number].frame, self._nodes[number - gap].frame
            back, forth = self._guess(number, gap) if gap > 1 else (None, None)
            known[gap] = Link(find_flow(now, then, back), find_flow(then, now, forth))
        return known[gap]

    def _guess(self, number: int, gap: int) -> Link:
        """Two links joined, the nearer one as long as a power of 2 allows."""
        half = 1 << ((gap - 1).bit_length() - 1)
        return self._link(number, half).after(self._link(number - half, gap - half))

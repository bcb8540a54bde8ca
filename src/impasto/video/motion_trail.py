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

_STEPS = (1, 2, 4, 8)  # each joined of two of the one before


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
    """A frame, and its links by how many frames they go back."""

    frame: Tensor
    links: dict[int, Link]


@dataclass(eq=False)
class MotionTrail:
    """The last frames of a shot and the motion between them.

    What `links` gives depends on the last nine frames alone, so that a trail may begin anew there.

    Args:
        gaps: `GAPS` or `GAPS_AT_ONCE`.
    """

    gaps: Sequence[int] = GAPS
    _nodes: deque[_Node] = field(default_factory=lambda: deque(maxlen=max(GAPS) + 1), init=False)

    def add(self, frame: Tensor) -> None:
        """Takes the shot's next frame, (1, 3, H, W), sRGB 0..1."""
        links: dict[int, Link] = {}
        self._nodes.append(_Node(frame, links))
        before = len(self._nodes) - 1
        for gap in sorted({min(step, before) for step in _STEPS if step <= max(self.gaps)} - {0}):
            links[gap] = self._link(gap, links)

    def links(self) -> list[tuple[int, Tensor, Link]]:
        """Of the latest frame: how far back, the earlier frame, the motion; the nearest first."""
        latest = self._nodes[-1]
        before = len(self._nodes) - 1
        return [
            (gap, self._nodes[-1 - gap].frame, latest.links[gap])
            for gap in sorted({min(gap, before) for gap in self.gaps} - {0})
        ]

    def _link(self, gap: int, nearer: dict[int, Link]) -> Link:
        """Of the latest frame, by way of a nearer one."""
        now, then = self._nodes[-1].frame, self._nodes[-1 - gap].frame
        if gap == 1:
            return Link(find_flow(now, then), find_flow(then, now))
        half = next(step for step in reversed(nearer) if gap - step in self._nodes[-1 - step].links)
        guess = nearer[half].after(self._nodes[-1 - half].links[gap - half])
        return Link(find_flow(now, then, guess.back), find_flow(then, now, guess.forth))

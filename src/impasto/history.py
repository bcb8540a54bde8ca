"""What L-BFGS remembers: past steps, and the direction that follows from them.

The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) goes through the remembered pairs
one by one, ten passes over a picture for each. Here the products of all of them with one picture
are taken together, as a matrix product, and the recursion runs on the numbers, as in Chen, Wang and
Zhou, Large-scale L-BFGS using MapReduce, 2014: four passes for each pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_CHUNK = 1 << 14
"""Values whose products are added up in float32: one long sum would drift."""


class History:
    """The last steps, as pairs of how far pixels (s) and gradient (y) went.

    Args:
        most: how many are remembered; each takes two pictures of memory.
        smooth: the initial inverse Hessian but for its scale: a linear map of pictures, symmetric
            and positive.
    """

    def __init__(self, most: int, smooth: Callable[[Tensor], Tensor]) -> None:
        self._most, self._smooth = most, smooth
        self.forget()

    def __len__(self) -> int:
        return len(self._order)

    def forget(self) -> None:
        """Begins anew."""
        self._order: list[int] = []  # places of the pairs, oldest first
        self._used = 0  # places below this were written to
        self._fresh: int | None = None  # place of a pair whose column of products is missing
        self._scale = 1.0  # of the initial inverse Hessian, as it fits the latest step
        self._room: Tensor | None = None
        # s_i . y_j, for the pairs i no younger than j
        self._products = torch.zeros(self._most, self._most, dtype=torch.float64)

    def make_room(self, like: Tensor) -> None:
        """For all pairs at once: made one by one, they would lie scattered over free memory.

        Args:
            like: a picture (1, 3, H, W) of the size to come.
        """
        self.forget()  # lets go of the old room first
        self._room = like.new_empty(2, self._most, *_rows(like).shape)

    def add(
        self, pixels: Tensor, before: Tensor, gradient: Tensor, gradient_before: Tensor
    ) -> None:
        """Remembers a step, in the place of the oldest where there is none left.

        Only a pair with positive curvature keeps the approximate Hessian positive definite; others
        are left out.

        Args:
            pixels: (1, 3, H, W), where it led to.
            before: alike, where it came from.
            gradient: alike, at ``pixels``.
            gradient_before: alike, at ``before``.
        """
        assert self._room is not None
        full = len(self._order) == self._most
        free = set(range(self._most)) - set(self._order)
        place = self._order.pop(0) if full else min(free)
        self._used = max(self._used, place + 1)
        moved = torch.sub(_rows(pixels), _rows(before), out=self._room[0, place])
        changed = torch.sub(_rows(gradient), _rows(gradient_before), out=self._room[1, place])
        curvature = dot(moved, changed)
        if curvature > 1e-10 * dot(changed, changed):
            self._scale = curvature / dot(
                changed, _rows(self._smooth(changed.view(gradient.shape)))
            )
            self._order.append(place)
            self._products[place, place] = curvature
            self._fresh = place

    def descent(self, gradient: Tensor) -> Tensor:
        """The quasi-Newton direction downhill, (1, 3, H, W); there must be a pair."""
        assert self._room is not None
        moved, changed = self._room[:, : self._used].unbind()
        of_moved = -self._with_gradient(moved, _rows(gradient)).numpy()  # s_i . q at the start
        products = self._products[: self._used, : self._used].numpy()
        shares, back = np.zeros(self._used), np.zeros(self._used)
        for place in reversed(self._order):
            later = products[place] @ shares
            shares[place] = (of_moved[place] - later) / products[place, place]
        direction = _combined(changed, shares).view_as(gradient).add_(gradient).neg_()
        direction = self._smooth(direction).mul_(self._scale)
        of_changed = _dots(changed, _rows(direction)[None])[:, 0].numpy()
        for place in self._order:
            earlier = products[:, place] @ back
            inverse = (of_changed[place] + earlier) / products[place, place]
            back[place] = shares[place] - inverse
        return direction.add_(_combined(moved, back).view_as(gradient))

    def state(self) -> dict[str, Tensor]:
        """Everything that the next direction depends on; numbers as float64."""
        tensors = {
            "products": self._products.clone(),
            "places": torch.tensor([*self._order, self._used], dtype=torch.float64),
            "scale": torch.tensor(self._scale, dtype=torch.float64),
        }
        if self._room is not None:
            for index, place in enumerate(self._order):
                tensors |= {
                    f"moved{index}": self._room[0, place],
                    f"changed{index}": self._room[1, place],
                }
        return tensors

    def restore(self, state: Mapping[str, Tensor], like: Tensor) -> None:
        """Takes up where the history left off whose `state` this is.

        Args:
            state: of one that remembers as many; of a longer one, the latest pairs are taken.
            like: see `make_room`.
        """
        self.make_room(like)
        assert self._room is not None
        *order, self._used = (int(place) for place in state["places"])
        products, first = state["products"], max(0, len(order) - self._most)
        if len(products) == self._most:
            self._order, self._products = order, products.clone()
        else:
            kept = order[first:]
            self._order, self._used = list(range(len(kept))), len(kept)
            self._products[: len(kept), : len(kept)] = products[kept][:, kept]
        self._scale = float(state["scale"])
        self._room[:, : self._used] = 0  # what is left out may be anything else
        for index, place in enumerate(self._order, start=first):
            self._room[0, place].copy_(state[f"moved{index}"])
            self._room[1, place].copy_(state[f"changed{index}"])

    def _with_gradient(self, moved: Tensor, gradient: Tensor) -> Tensor:
        """(k,): all s_i . gradient; on the way the products of a new pair, to read s_i once."""
        if self._fresh is None:
            return _dots(moved, gradient[None])[:, 0]
        assert self._room is not None
        both = torch.stack((gradient, self._room[1, self._fresh]))
        by_gradient, column = _dots(moved, both).unbind(1)
        column[self._fresh] = self._products[self._fresh, self._fresh]
        self._products[: self._used, self._fresh] = column
        self._fresh = None
        return by_gradient


def dot(x: Tensor, y: Tensor) -> float:
    """Sum of the products of two pictures, of any equal shapes that end in rows."""
    return float(_dots(_rows(x)[None], _rows(y)[None]))


def _rows(picture: Tensor) -> Tensor:
    """(1, 3, H, W) as (3 H, W)."""
    return picture.reshape(-1, picture.shape[-1])


def _dots(some: Tensor, others: Tensor) -> Tensor:
    """(k, n), float64, on the processor: products of (k, rows, width) with (n, rows, width)."""
    rows, width = some.shape[1:]
    fitting = max(1, _CHUNK // width)
    together = max(count for count in range(1, min(rows, fitting) + 1) if rows % count == 0)
    chunks = rows // together, together * width
    left = some.reshape(len(some), *chunks).transpose(0, 1)
    right = others.reshape(len(others), *chunks).permute(1, 2, 0)
    return torch.bmm(left, right).cpu().double().sum(0)


def _combined(pictures: Tensor, shares: NDArray[np.float64]) -> Tensor:
    """(rows, width): the sum of (k, rows, width), each times its share."""
    weights = torch.from_numpy(shares).to(pictures.dtype).to(pictures.device)
    return (weights[None] @ pictures.reshape(len(pictures), -1)).view(pictures.shape[1:])

"""What L-BFGS remembers: past steps, and the direction that follows from them.

The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) goes through the remembered steps
one by one, ten passes over a picture for each. Here the products of all of them with one picture
are taken together, as a matrix product, and the recursion runs on the numbers, as in Chen, Wang and
Zhou, Large-scale L-BFGS using MapReduce, 2014: four passes for each step. The initial inverse
Hessian is linear, so that what it makes of each gradient is all that it is needed for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_CHUNK = 1 << 14
"""Values whose products are added up in float32: one long sum would drift."""


@dataclass(frozen=True)
class Slope:
    """The gradient at a picture, and what the initial inverse Hessian makes of it.

    Attributes:
        gradient: (1, 3, H, W).
        smoothed: alike, times the initial inverse Hessian but for its scale: a linear map of
            pictures, symmetric and positive. The gradient itself where that is the identity.
    """

    gradient: Tensor
    smoothed: Tensor


class LBFGSHistory:
    """The last steps: how far pixels (s), gradient (y) and smoothed gradient (z) went.

    Args:
        most: how many are remembered; each takes two pictures of memory.
        weights: (1, 1, H, W), what each pixel counts in products; None for 1 everywhere.
    """

    def __init__(self, most: int, weights: Tensor | None = None) -> None:
        self._most, self._weights = most, weights
        self.forget()

    def __len__(self) -> int:
        return len(self._order)

    def forget(self) -> None:
        """Begins anew."""
        self._order: list[int] = []  # places of the steps, oldest first
        self._used = 0  # places below this were written to
        # (k, 2), s_i . g and z_i . g with the gradient of the last descent; None if unknown
        self._seen: NDArray[np.float64] | None = None
        # place, and s . y and z . y, of a step whose products with the others are missing
        self._fresh: tuple[int, NDArray[np.float64]] | None = None
        self._pairs: Tensor | None = None  # of every s with its z
        # s_i . y_j, for the steps i no younger than j; and z_i . y_j, for all
        self._products = torch.zeros(2, self._most, self._most, dtype=torch.float64)

    def allocate(self, like: Tensor) -> None:
        """For all steps at once: made one by one, they would lie scattered over free memory.

        Args:
            like: a picture (1, 3, H, W) of the size to come.
        """
        self.forget()  # lets go of the old pairs first
        self._pairs = like.new_empty(self._most, 2, *_rows(like).shape)

    def add(self, pixels: Tensor, before: Tensor, slope: Slope, slope_before: Slope) -> None:
        """Remembers a step, in the place of the oldest where there is none left.

        Only a step with positive curvature keeps the approximate Hessian positive definite; others
        are left out.

        Args:
            pixels: (1, 3, H, W), where it led to.
            before: alike, where it came from.
            slope: at ``pixels``.
            slope_before: at ``before``; that of the last `descent`, if there was one.
        """
        assert self._pairs is not None
        if self._order and self._seen is None:
            self._seen = self._along(slope_before.gradient)
        full = len(self._order) == self._most
        free = set(range(self._most)) - set(self._order)
        place = self._order.pop(0) if full else min(free)
        self._used = max(self._used, place + 1)
        moved, smoothed = self._pairs[place]
        torch.sub(_rows(pixels), _rows(before), out=moved)
        changed = torch.sub(_rows(slope.smoothed), _rows(slope_before.smoothed), out=smoothed)
        if slope.smoothed is not slope.gradient:
            changed = _rows(slope.gradient) - _rows(slope_before.gradient)
        counted = self._counted(changed)
        own = _dots(self._pairs[place], counted)
        if own[0] > 1e-10 * dot(changed, counted) > 0:
            self._order.append(place)
            self._fresh = place, own

    def descent(self, slope: Slope) -> Tensor:
        """The quasi-Newton direction downhill, (1, 3, H, W); there must be a step.

        Args:
            slope: at the picture where the last step led to.
        """
        assert self._pairs is not None
        seen = self._along(slope.gradient)
        self._complete(seen)
        of_moved, of_smoothed = seen.T
        along, among = (part[: self._used, : self._used].numpy() for part in self._products)
        shares, back = np.zeros(self._used), np.zeros(self._used)
        for place in reversed(self._order):
            later = along[place] @ shares
            shares[place] = (of_moved[place] - later) / along[place, place]
        newest = self._order[-1]
        scale = along[newest, newest] / among[newest, newest]  # as it fits the latest step
        of_changed = scale * (of_smoothed - among @ shares)  # y_i . r, after the first loop
        for place in self._order:
            earlier = along[:, place] @ back
            back[place] = shares[place] - (of_changed[place] + earlier) / along[place, place]
        shared = np.stack((-back, scale * shares), axis=1)
        weights = torch.from_numpy(shared).to(slope.gradient).view(1, -1)
        pictures = self._pairs[: self._used].view(weights.shape[1], -1)
        start = slope.smoothed.reshape(1, -1)
        direction = torch.addmm(start, weights, pictures, beta=-float(scale))
        return direction.view_as(slope.gradient)

    def state(self) -> dict[str, Tensor]:
        """Everything that the next direction depends on; numbers as float64."""
        tensors = {
            "products": self._products.clone(),
            "places": torch.tensor([*self._order, self._used], dtype=torch.float64),
        }
        if self._pairs is not None:
            for index, place in enumerate(self._order):
                tensors |= {
                    f"moved{index}": self._pairs[place, 0],
                    f"smoothed{index}": self._pairs[place, 1],
                }
        return tensors

    def restore(self, state: Mapping[str, Tensor], like: Tensor) -> None:
        """Takes up where the history left off whose `state` this is.

        Args:
            state: of one that remembers as many; of a longer one, the latest steps are taken.
            like: see `allocate`.
        """
        self.allocate(like)
        assert self._pairs is not None
        *order, self._used = (int(place) for place in state["places"])
        products, first = state["products"], max(0, len(order) - self._most)
        if products.shape == self._products.shape:
            self._order, self._products = order, products.clone()
        else:
            kept = order[first:]
            self._order, self._used = list(range(len(kept))), len(kept)
            self._products[:, : len(kept), : len(kept)] = products[:, kept][:, :, kept]
        for index, place in enumerate(self._order, start=first):
            self._pairs[place, 0].copy_(state[f"moved{index}"])
            self._pairs[place, 1].copy_(state[f"smoothed{index}"])

    def _along(self, gradient: Tensor) -> NDArray[np.float64]:
        """(k, 2): every s_i . gradient and z_i . gradient."""
        assert self._pairs is not None
        counted = self._counted(_rows(gradient))
        return _dots(self._pairs[: self._used].flatten(0, 1), counted).reshape(-1, 2)

    def _counted(self, rows: Tensor) -> Tensor:
        """A picture's rows (3 H, W), each pixel times its weight."""
        if self._weights is None:
            return rows
        return (rows.view(3, *self._weights.shape[2:]) * self._weights[0]).view_as(rows)

    def _complete(self, seen: NDArray[np.float64]) -> None:
        """The products of a new step's y with the others: what they changed by since the last.

        Args:
            seen: what `_along` says of the latest gradient.
        """
        if self._fresh is not None:
            place, own = self._fresh
            new = seen.copy()
            if self._seen is not None:
                new[: len(self._seen)] -= self._seen
            new[place] = own
            of_moved, of_smoothed = torch.from_numpy(new.T)
            self._products[0, : self._used, place] = of_moved
            self._products[1, : self._used, place] = of_smoothed
            self._products[1, place, : self._used] = of_smoothed  # as the map is symmetric
            self._fresh = None
        self._seen = seen


def dot(x: Tensor, y: Tensor) -> float:
    """Sum of the products of two pictures, of any equal shapes that end in rows."""
    return float(_dots(_rows(x)[None], _rows(y))[0])


def _rows(picture: Tensor) -> Tensor:
    """(1, 3, H, W) as (3 H, W)."""
    return picture.reshape(-1, picture.shape[-1])


def _dots(some: Tensor, other: Tensor) -> NDArray[np.float64]:
    """(k,): products of each of (k, rows, width) with (rows, width)."""
    rows, width = other.shape
    fitting = max(1, _CHUNK // width)
    together = max(count for count in range(1, min(rows, fitting) + 1) if rows % count == 0)
    chunks = rows // together, together * width
    right = some.reshape(len(some), *chunks).permute(1, 2, 0)
    products = torch.bmm(other.reshape(chunks[0], 1, chunks[1]), right)
    return products.cpu().double().sum(0)[0].numpy()

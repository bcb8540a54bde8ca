"""An index of the style's features, in which the nearest of many is found without asking all."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_FEW_PAIRS = 1 << 24
"""So many cosines are computed one and all: it takes no longer than making an index."""

DIRECTIONS = 256
"""Onto so many directions all is projected before it is searched."""

_CHUNK = 4096
_CLUSTERS_ASKED = 16
_CANDIDATES = 4
_LEARNED_FROM = 8192  # rows, which say as well where the clusters are
_ROUNDS = 4  # of k-means, and of the iteration that finds the directions


class NeighborIndex:
    """Finds for any row the row of the largest cosine among those that are known.

    Where there are many, this is approximate, in three steps. All rows are projected onto the 256
    directions in which the known ones are largest, and these are sorted into clusters by k-means.
    Of a wanted row the 16 nearest clusters are asked for their best. Of the best four of these the
    cosines themselves decide. docs/decisions/0028-neighbors-at-any-size.md has what is lost.

    Always float32 or better: in bfloat16 one neighbour of twenty is another, and every new size of
    a product takes oneDNN a moment, which clusters have by the hundred.

    Args:
        known: (R, D), which is changed: its rows become of length 1.
        wanted: for how many rows neighbours will be sought.
    """

    def __init__(self, known: Tensor, wanted: int) -> None:
        self._known = functional.normalize(known, dim=1, out=known)
        self._coarse = _CoarseIndex(self._known) if wanted * len(known) > _FEW_PAIRS else None

    def nearest(self, wanted: Tensor) -> Tensor:
        """For each row of ``wanted`` (N, D) the index of the nearest known one, (N,).

        Of several the first, where all are asked; where a row is zero or not finite, any.
        """
        parts = torch.split(wanted, _CHUNK)
        if self._coarse is None:
            found = [(part @ self._known.t()).argmax(1) for part in parts]
        else:
            found = [self._best(part, self._coarse.candidates(part)) for part in parts]
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.long)

    def _best(self, wanted: Tensor, candidates: Tensor) -> Tensor:
        """Of each row's ``candidates`` (N, k) the nearest, (N,)."""
        cosines = [(wanted * self._known[one]).sum(1) for one in candidates.t()]
        best = torch.stack(cosines, 1).argmax(1, keepdim=True)
        return candidates.gather(1, best)[:, 0]


class _CoarseIndex:
    """Clusters of rows of length 1, (R, D), projected onto few directions."""

    def __init__(self, known: Tensor) -> None:
        some = known[:: -(-len(known) // _LEARNED_FROM)]
        self._directions = _largest_directions(some)
        projected = known if self._directions is None else known @ self._directions
        count = round(len(known) ** 0.5)
        self._centers = _centers(projected[:: -(-len(known) // _LEARNED_FROM)], count)
        own = (projected @ self._centers.t()).argmax(1)
        order = own.argsort(stable=True)
        lengths = torch.bincount(own, minlength=count).tolist()
        self._members = torch.split(order, lengths)
        self._parts = torch.split(projected[order], lengths)

    def candidates(self, wanted: Tensor) -> Tensor:
        """Indices (N, k) of rows that may be the nearest to each of ``wanted`` (N, D)."""
        projected = wanted if self._directions is None else wanted @ self._directions
        asked = min(_CLUSTERS_ASKED, len(self._centers))
        clusters = (projected @ self._centers.t()).topk(asked, 1).indices.flatten()
        order = clusters.argsort(stable=True)  # cluster by cluster: which rows ask it
        lengths = torch.bincount(clusters, minlength=len(self._centers)).tolist()
        cosines = torch.full_like(projected[:, :1].expand(-1, asked), -torch.inf).flatten()
        found = torch.zeros_like(clusters)
        groups = zip(torch.split(order, lengths), self._members, self._parts, strict=True)
        for places, members, part in groups:
            if len(places) and len(members):
                best = (projected[places // asked] @ part.t()).max(1)
                cosines[places], found[places] = best.values, members[best.indices]
        best_of_all = cosines.view(-1, asked).topk(min(_CANDIDATES, asked), 1).indices
        return found.view(-1, asked).gather(1, best_of_all)


def _largest_directions(rows: Tensor) -> Tensor | None:
    """An orthonormal basis (D, d) of about the directions in which rows (R, D) are largest.

    By orthogonal iteration, which takes a tenth of the time of all eigenvectors. None where there
    are few directions anyway.
    """
    if rows.shape[1] <= DIRECTIONS:
        return None
    products = rows.t() @ rows
    generator = torch.Generator().manual_seed(0)
    basis = torch.randn(len(products), DIRECTIONS, generator=generator, dtype=torch.float64)
    basis = basis.to(rows)
    for _ in range(_ROUNDS):
        basis = torch.linalg.qr(products @ basis)[0]
    return basis


def _centers(rows: Tensor, count: int) -> Tensor:
    """The centres (count, d) of clusters of rows (R, d), by spherical k-means."""
    centers = rows[torch.arange(count, device=rows.device) * len(rows) // count]
    for _ in range(_ROUNDS):
        own = (rows @ centers.t()).argmax(1)
        members = functional.one_hot(own, count).to(rows)
        centers = functional.normalize(members.t() @ rows + 1e-6 * centers, dim=1)
    return centers

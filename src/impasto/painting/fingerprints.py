"""Fingerprints of the pictures that a run works with, by which a checkpoint knows them again."""

from __future__ import annotations

import hashlib
from weakref import WeakKeyDictionary

import numpy as np

from impasto.pictures.image import Image
from impasto.tasks.task import Task

_fingerprints: WeakKeyDictionary[Image, str] = WeakKeyDictionary()

NO_FINGERPRINT = hashlib.sha256().hexdigest()
"""The fingerprint of no regions, and of no maps."""


def fingerprint(picture: Image | None) -> str | None:
    """SHA-256 of a picture's shape, pixels and alpha; None where there is no picture."""
    if picture is None:
        return None
    if picture not in _fingerprints:
        digest = hashlib.sha256()
        for tensor in (picture.pixels, picture.alpha):
            digest.update(repr(None if tensor is None else tuple(tensor.shape)).encode())
            if tensor is not None:
                digest.update(np.ascontiguousarray(tensor.detach().numpy()).data)
        _fingerprints[picture] = digest.hexdigest()
    return _fingerprints[picture]


def fingerprint_of_styles(task: Task) -> str | None:
    """The fingerprint of the only style's only picture, or of all styles, regions and maps."""
    parts = [[fingerprint(picture) for picture in style.pictures] for style in task.styles]
    if not (task.regions or task.maps) and len(parts) <= 1 and sum(map(len, parts)) <= 1:
        return fingerprint(task.style)
    digest = hashlib.sha256(repr(parts).encode())
    _add_regions(digest, task)
    _add_maps(digest, task)
    return digest.hexdigest()


def fingerprint_of_regions(task: Task) -> str:
    """The fingerprint of the masks and styles of all regions in order."""
    digest = hashlib.sha256()
    _add_regions(digest, task)
    return digest.hexdigest()


def fingerprint_of_maps(task: Task) -> str:
    """The fingerprint of the parts that colour-coded maps make of content and styles."""
    digest = hashlib.sha256()
    _add_maps(digest, task)
    return digest.hexdigest()


def _add_regions(digest: hashlib._Hash, task: Task) -> None:
    for region in task.regions:
        pictures = () if region.style is None else region.style.pictures
        digest.update(np.ascontiguousarray(region.mask.numpy()).data)
        digest.update(repr([fingerprint(picture) for picture in pictures]).encode())


def _add_maps(digest: hashlib._Hash, task: Task) -> None:
    for part in task.maps:
        digest.update(repr((tuple(part.mask.shape), *part.styles)).encode())
        for mask in (part.mask, *(mask for _, mask in part.styles.values())):
            digest.update(np.ascontiguousarray(mask.numpy()).data)

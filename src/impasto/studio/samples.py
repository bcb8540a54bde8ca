"""The project's own photographs and painted styles, to try the studio with."""

from __future__ import annotations

from pathlib import Path

import impasto
from impasto.studio.picture_store import EVERYONE, PictureStore, StoredPicture

KINDS = ("photographs", "styles")


def add_samples(store: PictureStore) -> dict[str, list[StoredPicture]]:
    """Puts all samples into a store, for everyone. Returns them by kind."""
    return {
        kind: [
            store.add(EVERYONE, path.name, path.read_bytes(), token=f"sample-{path.stem}")
            for path in sorted((_folder() / kind).glob("*.jpg"))
        ]
        for kind in KINDS
    }


def _folder() -> Path:
    """Where they lie: in the package, or in the checkout that it is used from."""
    package = Path(impasto.__file__).parent
    installed = package / "studio" / "samples"
    return installed if installed.is_dir() else package.parent.parent / "examples"

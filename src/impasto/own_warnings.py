"""impasto's own warnings, for whoever says them to a user or passes them on to another process."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from impasto.errors import PictureWarning, RegionWarning

OWN = (PictureWarning, RegionWarning)


@dataclass
class HeardWarnings:
    """The warnings that have come so far; see `hearing_warnings`."""

    _found: list[warnings.WarningMessage]
    _said: set[str] = field(default_factory=set)

    def news(self) -> list[Warning]:
        """Those since the last call, each wording once and never again."""
        fresh: dict[str, Warning] = {}
        for one in self._found:
            assert isinstance(one.message, Warning)  # a text only where it was printed
            fresh.setdefault(str(one.message), one.message)
        self._found.clear()
        fresh = {words: fresh[words] for words in fresh if words not in self._said}
        self._said.update(fresh)
        return list(fresh.values())


@contextlib.contextmanager
def hearing_warnings() -> Iterator[HeardWarnings]:
    """Hears impasto's warnings meanwhile, in place of those who usually do; ignores all others.

    Filters belong to the whole process: this is for processes that are impasto's own.
    """
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("ignore")
        for category in OWN:
            warnings.simplefilter("always", category)
        yield HeardWarnings(found)

"""A picture's file as bytes that came from elsewhere: a URL, an upload, another machine."""

from __future__ import annotations

import io


class NamedBytes(io.BytesIO):
    """A file's bytes that messages call by the file's name.

    Args:
        data: the bytes.
        name: what messages call them.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name

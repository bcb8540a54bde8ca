"""How a function that yields steps becomes one that returns the picture: `iterate`, `stylize`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from impasto.pictures.image import Image
from impasto.torch_state import with_torch_defaults

P = ParamSpec("P")
Steps = TypeVar("Steps")


def finished(
    iterate: Callable[P, Steps], name: str, doc: str, paint_all: Callable[[Steps], Image]
) -> Callable[P, Image]:
    """The function that takes all steps of ``iterate`` and returns the picture.

    It has the parameters of ``iterate`` and belongs to the same module, in which it must be bound
    to ``name``: so it can be pickled.

    Args:
        iterate: checks its arguments and returns the steps.
        name: of the new function.
        doc: its docstring.
        paint_all: takes all steps and returns the picture.
    """

    @functools.wraps(iterate)
    @with_torch_defaults
    def finish(*args: P.args, **kwargs: P.kwargs) -> Image:
        inspect.getcallargs(finish, *args, **kwargs)  # an error names this call, not `iterate`
        return paint_all(iterate(*args, **kwargs))

    finish.__name__ = finish.__qualname__ = name
    finish.__doc__ = doc
    finish.__annotations__ = {**iterate.__annotations__, "return": Image}
    signature = inspect.signature(iterate).replace(return_annotation="Image")
    finish.__signature__ = signature  # type: ignore[attr-defined]
    return finish

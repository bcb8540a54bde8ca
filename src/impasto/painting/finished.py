"""How a function becomes another that goes on with its result: `iterate` becomes `stylize`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar, get_type_hints

from impasto.torch_state import with_torch_defaults

P = ParamSpec("P")
Begun = TypeVar("Begun")
Result = TypeVar("Result")


def finished(
    begin: Callable[P, Begun], name: str, doc: str, finish: Callable[[Begun], Result]
) -> Callable[P, Result]:
    """The function that calls ``begin`` and returns what ``finish`` makes of its result.

    It has the parameters of ``begin`` and belongs to the same module, in which it must be bound
    to ``name``: so it can be pickled.

    Args:
        begin: checks its arguments; returns steps, for example.
        name: of the new function.
        doc: its docstring.
        finish: goes on, with all steps, for example; its annotation says what is returned.
    """

    @functools.wraps(begin)
    @with_torch_defaults
    def call(*args: P.args, **kwargs: P.kwargs) -> Result:
        inspect.getcallargs(call, *args, **kwargs)  # an error names this call, not `begin`
        return finish(begin(*args, **kwargs))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    call.__annotations__ = {**begin.__annotations__, "return": get_type_hints(finish)["return"]}
    returned = finish.__annotations__["return"]
    signature = inspect.signature(begin).replace(return_annotation=returned)
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call

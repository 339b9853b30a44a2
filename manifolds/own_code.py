"""Methods that each class has as code of its own, so that the compiler counts its graphs apart."""

from functools import update_wrapper
from inspect import getattr_static
from types import FunctionType
from typing import Any


def give_own_code(cls: type, root: type) -> None:
    """Put a copy of every public method that ``cls`` has from ``root`` or below it into ``cls``.

    ``torch.compile`` keeps eight graphs for each code object and then runs eagerly: one ``dist`` of
    all manifolds would reach that with three of them. A copy is the same function with a code
    object of its own, under the class's name (``Lorentz.dist``) in profiles and in logs.
    """
    given = {name for base in cls.__mro__[1:] if issubclass(base, root) for name in vars(base)}
    for name in sorted(given - {*vars(cls)}):
        method = getattr_static(cls, name)
        if isinstance(method, FunctionType) and not name.startswith("_"):
            setattr(cls, name, _copied(method, f"{cls.__qualname__}.{name}"))


def _copied(function: FunctionType, qualname: str) -> Any:
    copy = FunctionType(
        function.__code__.replace(co_qualname=qualname),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    update_wrapper(copy, function)
    copy.__kwdefaults__ = function.__kwdefaults__
    del copy.__dict__["__wrapped__"]
    copy.__dict__["inherited"] = True  # the reference prints it once, with the class that it is of
    return copy

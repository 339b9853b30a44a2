"""Methods that each class has as code of its own, so that the compiler counts its graphs apart."""

from functools import update_wrapper
from types import FunctionType
from typing import Any
from weakref import WeakSet

_copies: WeakSet[FunctionType] = WeakSet()


def give_own_code(cls: type, root: type) -> None:
    """Put a copy of every public method that ``cls`` has from ``root`` or below it into ``cls``.

    ``torch.compile`` keeps eight graphs for each code object and then runs eagerly: one ``dist`` of
    all manifolds would reach that with three of them. A copy is the same function with a code
    object of its own, under the class's name (``Lorentz.dist``) in profiles, logs and pickles.

    A copy stands only where Python would find the same without it. A base of ``cls`` therefore
    loses one that the order of ``cls`` makes wrong, and shares the code of the class it is from.
    """
    _clear_the_way(cls)
    given = {name for base in cls.__mro__[1:] if issubclass(base, root) for name in vars(base)}
    for name in sorted(given - {*vars(cls)}):
        method = written(cls, name)
        if isinstance(method, FunctionType) and not name.startswith("_"):
            setattr(cls, name, _copied(method, cls, name))


def written(cls: type, name: str) -> Any:
    """What somebody wrote under a name, in the class or the first of its bases that has it: of
    ``class C(B, A)``, B without a ``dist``, that of A, not B's copy of another."""
    return _first_written(cls.__mro__, name)


def _first_written(classes: tuple[type, ...], name: str) -> Any:
    found = (vars(base)[name] for base in classes if name in vars(base))
    return next(value for value in found if not is_copy(value))


def _clear_the_way(cls: type) -> None:
    """For ``super()``: in the order C, B, A, B without a ``dist``, C's ``super().dist`` is A's,
    which B's copy of another would hide."""
    for place, base in enumerate(cls.__mro__[1:], start=1):
        for name in [name for name, value in vars(base).items() if is_copy(value)]:
            if _first_written(cls.__mro__[place:], name) is not written(base, name):
                delattr(base, name)


def is_copy(value: Any) -> bool:
    """Whether a class has it for the compiler only; the reference prints it once, with the class
    that it is of."""
    return isinstance(value, FunctionType) and value in _copies


def _copied(function: FunctionType, cls: type, name: str) -> FunctionType:
    qualname = f"{cls.__qualname__}.{name}"
    copy = FunctionType(
        function.__code__.replace(co_qualname=qualname),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    update_wrapper(copy, function)
    del copy.__dict__["__wrapped__"]
    copy.__dict__.update(function.__dict__)  # which may have one of its own
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__module__, copy.__qualname__ = cls.__module__, qualname  # where pickle looks for it
    _copies.add(copy)
    return copy

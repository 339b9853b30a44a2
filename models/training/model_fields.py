"""The options of all models as fields of a run's configuration, read from the models."""

from collections.abc import Callable
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin

import tyro

from ..model_options import Option
from ..options import absent
from ..registry import MODELS, options, parameters

C = TypeVar("C")
OPTIONS = options()

if TYPE_CHECKING:
    Model = str
else:
    _WORDS = "; ".join(f"{name}: {model.summary}" for name, model in MODELS.items())
    Model = Annotated[
        Literal[tuple(MODELS)], tyro.conf.arg(help=f"{_WORDS}. Same encoders, same budget.")
    ]


def with_model_options(after: str) -> Callable[[type[C]], type[C]]:
    """Give a class, before it is made a dataclass, a field for each option of a model, after
    another field; None, the default, leaves it to the model."""

    def decorate(cls: type[C]) -> type[C]:
        if taken := OPTIONS.keys() & cls.__annotations__:
            raise TypeError(
                f"{', '.join(sorted(taken))}: an option of a model has the name of one of the run; "
                "expected another name."
            )
        annotations: dict[str, Any] = {}
        for name, kind in cls.__annotations__.items():
            annotations[name] = kind
            if name == after:
                annotations |= {option: _field(option, OPTIONS[option]) for option in OPTIONS}
        for option in OPTIONS:
            setattr(cls, option, None)
        cls.__annotations__ = annotations
        return cls

    return decorate


def _field(name: str, option: Option) -> Any:
    """The type of an option, with what help says of it."""
    models = [model for model in MODELS if name in parameters(model)]
    each = [parameters(model)[name] for model in models]
    kind = _without_none(each[0].annotation)
    defaults: dict[str, list[str]] = {}
    for model, parameter in zip(models, each, strict=True):
        value = option.unset if parameter.default is None else f"{parameter.default}"
        defaults.setdefault(value, []).append(model)
    meaning = "; ".join(f"{value} for {', '.join(names)}" for value, names in defaults.items())
    if len(defaults) == 1:
        meaning = next(iter(defaults))
    return Annotated[kind | None, absent(_metavar(kind), meaning, option.words)]


def _without_none(kind: Any) -> Any:
    """X of X | None; a kind that is none such, as it is."""
    if NoneType not in get_args(kind):
        return kind
    (kind,) = (part for part in get_args(kind) if part is not NoneType)
    return kind


def _metavar(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "{" + ",".join(get_args(kind)) + "}"
    return "{True,False}" if kind is bool else kind.__name__.upper()

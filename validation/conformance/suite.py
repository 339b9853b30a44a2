"""A conformance suite for manifolds: every property, on examples that Hypothesis finds and shrinks.

>>> import torch
>>> from spaceforms.manifolds import Lorentz
>>> from spaceforms.validation import check_manifold
>>> report = check_manifold(Lorentz(-1.0), dtype=torch.float32, examples=10, max_radius=5.0)
>>> len(report.passed), len(report.failures)
(44, 0)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from ...manifolds import ChartManifold
from . import behaviour, derivatives, distance, maps  # noqa: F401  # importing a file of properties registers them
from .adapters import Subject, as_subject
from .charts import check_chart
from .example import Situation
from .properties import PROPERTIES, Broken, Property
from .strategies import situations

_SHRINKS = 60
"""Broken examples after which shrinking stops: the sentence is readable by then."""


@dataclass(frozen=True)
class Report:
    """What was tried on a manifold, and what was found.

    Attributes:
        subject: name of the manifold.
        n: dimension.
        dtype: of the examples.
        examples: property -> number of examples that were tried.
        failures: property -> a sentence with the smallest example.
        skipped: property -> why.
    """

    subject: str
    n: int
    dtype: torch.dtype
    examples: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> list[str]:
        """Names of the properties that held."""
        return [name for name in self.examples if name not in self.failures]

    def __str__(self) -> str:
        where = f"{self.subject}, n = {self.n}, {str(self.dtype).removeprefix('torch.')}"
        lines = [
            f"{where}: {len(self.passed)} properties hold, {len(self.failures)} do not, "
            f"{len(self.skipped)} were skipped; {sum(self.examples.values())} examples"
        ]
        lines += [f"- {sentence}" for sentence in self.failures.values()]
        for why in dict.fromkeys(self.skipped.values()):
            names = [name for name, reason in self.skipped.items() if reason == why]
            lines.append(f"  skipped because {why}: {', '.join(names)}")
        return "\n".join(lines)


class ConformanceError(AssertionError):
    """Properties that a manifold does not have; ``report`` is the :class:`Report`."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


def check_manifold(
    manifold: Any,
    *,
    n: int = 3,
    dtype: torch.dtype = torch.float64,
    examples: int = 100,
    properties: Iterable[str] | None = None,
    max_radius: float | None = None,
    loosen: float = 1.0,
) -> Report:
    """Try every property on a manifold.

    Args:
        manifold: one of spaceforms' or geoopt's; a ``Subject``; or any object with an attribute
            ``domain`` and the maps of a ``Subject`` as methods.
        n: dimension of the space.
        dtype: of points and vectors.
        examples: number of examples for each property; a quarter of it for properties that are
            tried at everyday places only.
        properties: names of those to try; all that the manifold has maps for if None.
        max_radius: largest distance of a point from the origin; what the dtype can hold if None.
        loosen: factor on every tolerance. 1 asks for backward stability: the result is that of
            inputs that differ in the last place, times 16 for values and 64 for derivatives.

    Returns:
        The report, if every property held.

    Raises:
        ConformanceError: listing every property that did not, each with its smallest example.
        ValueError: for a property that does not exist, or a :class:`ChartManifold` whose methods
            contradict each other.
        TypeError: for a manifold whose maps and domain are not known.
    """
    subject = as_subject(manifold)
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"check_manifold: dtype is {dtype!r}; expected one such as torch.float32.")
    if isinstance(manifold, ChartManifold):
        check_chart(manifold._unchecked, n)
    report = Report(subject.name, n, dtype)
    for p in _chosen(properties):
        missing = [name for name in p.needs if getattr(subject, name) is None]
        if missing:
            report.skipped[p.name] = f"there is no {' and no '.join(missing)}"
            continue
        if p.curved and subject.domain.curvature is None:
            report.skipped[p.name] = "the curvature is not known to be constant"
            continue
        unit = loosen * torch.finfo(dtype).eps / 2
        strategy = situations(
            subject.domain,
            n,
            dtype,
            fields=p.fields,
            corners=p.corners,
            huge=p.huge,
            max_radius=max_radius,
        )
        count, failure = _try(p, subject, strategy, unit, p.count(examples))
        report.examples[p.name] = count
        if failure is not None:
            report.failures[p.name] = failure
    if report.failures:
        raise ConformanceError(report)
    return report


def _chosen(names: Iterable[str] | None) -> list[Property]:
    if names is None:
        return list(PROPERTIES.values())
    names = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in names if name not in PROPERTIES]
    if unknown:
        raise ValueError(
            f"check_manifold: there is no property {', '.join(map(repr, unknown))}; the properties "
            f"are {', '.join(PROPERTIES)}."
        )
    return [p for name, p in PROPERTIES.items() if name in names]


def _try(
    p: Property, subject: Subject, strategy: st.SearchStrategy[Situation], unit: float, limit: int
) -> tuple[int, str | None]:
    """Number of examples tried, and the sentence of the smallest one that is broken."""
    count = 0
    broken: dict[str, str] = {}

    def verdict(s: Situation) -> str | None:
        nonlocal count
        if broken and (s.key in broken or len(broken) >= _SHRINKS):
            return broken.get(s.key)
        count += not broken
        try:
            p.check(subject, s, unit)
        except Broken as error:
            sentence = f"does not hold: {error}"
        except Exception as error:
            raised = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            sentence = f"could not be tried, a map raised {raised}"
        else:
            return None
        broken[s.key] = f"{p.name}: {p.sentence} {sentence}. Example: {s}."
        return broken[s.key]

    def run(s: Situation) -> None:
        sentence = verdict(s)
        if sentence is not None:
            raise Broken(
                sentence
            )  # from one line only: Hypothesis tells errors apart by their line

    # The same examples every time: what fails at one person's fails at another's. And no database:
    # a suite called from somebody's tests leaves no files in their folder.
    profile = settings(
        max_examples=limit,
        deadline=None,
        database=None,
        derandomize=True,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        profile(given(strategy)(run))()
    except Broken as smallest:
        return count, str(smallest)
    return count, None

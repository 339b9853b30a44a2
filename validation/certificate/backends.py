"""Where and how the maps run: eagerly or compiled, on a processor or an accelerator."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

GRAPHS = 64
"""That the compiler keeps of one map: dimension 1 and 2 and one row have each their own."""


@dataclass(frozen=True)
class Backend:
    """A device and whether maps are compiled."""

    device: str = "cpu"
    compiled: bool = False

    @property
    def name(self) -> str:
        """As rows of a report have it: "cpu", "cpu, compiled", "cuda"."""
        return f"{self.device}, compiled" if self.compiled else self.device

    def check(self) -> None:
        """Raise ValueError if the device is not there."""
        try:
            torch.empty(1, device=self.device).add(1).cpu()  # of meta there is nothing to judge
        except (ImportError, RuntimeError, AssertionError) as error:
            why = str(error).splitlines()[0].partition(". ")[0]
            raise ValueError(
                f"--device is {self.device!r}, which torch {torch.__version__} cannot use here "
                f"({why}); expected a device that it has, as cpu, cuda, mps."
            ) from error

    def moved(self, x: Tensor) -> Tensor:
        """An argument, there."""
        return x if self.device == "cpu" else x.to(self.device)

    def ready(self, manifold: Any, cell: tuple[str, ...]) -> Any:
        """The manifold as it is called there.

        Args:
            manifold: what has the maps as methods.
            cell: what graphs are kept for; those of the cell before are thrown away.
        """
        if self.device != "cpu" and isinstance(manifold, nn.Module):
            manifold = manifold.to(self.device)
        if not self.compiled:
            return manifold
        if _kept.get("cell") != cell:
            torch.compiler.reset()
            _kept["cell"] = cell
        return Compiled(manifold)


CPU = Backend()
"""Eagerly, on the processor: what all is measured by that is not said otherwise."""
_kept: dict[str, Any] = {}


class Compiled:
    """A manifold whose methods are compiled, each as one graph or not at all."""

    def __init__(self, manifold: Any) -> None:
        self._manifold = manifold

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """That of the manifold, so that ``isinstance`` says what it says of that."""
        return type(self._manifold)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._manifold, name)
        if name.startswith("_") or not inspect.ismethod(found):
            return found
        # Not dynamic=True: there torch 2.13 makes inputs of a file's numbers, and loses those of a
        # map that takes one kernel twice, as geodesics of a learned curvature do.
        compiled = torch.compile(found, fullgraph=True)
        return torch._dynamo.config.patch(recompile_limit=GRAPHS)(compiled)

"""What two objectives make of the same residuals: a likelihood, and ProbVLM's published code's.

    python benchmarks/shapes.py [--shapes 0.7 1 2 8] [--draws 20000] [--page docs/guides/losses.md]

Draws of generalized Gaussian laws of scale 1 about 0; scale and shape by L-BFGS on
`generalized_gaussian_nll` and on `probvlm_surrogate_nll`. ``variance`` is that of the fitted law
over the true one, ``90 % interval`` the share of the draws in the fitted law's central interval of
that probability. Seconds on one core.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from marked import write_between
from torch import Tensor

from spaceforms.distributions import GeneralizedGaussian
from spaceforms.losses.functional import generalized_gaussian_nll, probvlm_surrogate_nll
from spaceforms.losses.metrics import aleatoric_variance, interval_coverage, pit

SHAPES = [0.7, 1.0, 2.0, 8.0]
COLUMNS = ["shape of the data", "objective", "scale", "shape", "variance", "90 % interval"]


def likelihood(x: Tensor, log_scale: Tensor, shape: Tensor) -> Tensor:
    """Ours."""
    return generalized_gaussian_nll(x, torch.zeros_like(x), log_scale, shape)


def published(x: Tensor, log_scale: Tensor, shape: Tensor) -> Tensor:
    """That of the published code."""
    return probvlm_surrogate_nll(x, torch.zeros_like(x), (-log_scale).exp(), shape)


def fit(objective: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """(scale, shape) of the least objective, found in their logarithms from 1 and 1."""
    logs = torch.zeros(2, dtype=x.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [logs], max_iter=100, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = objective(x, logs[0], logs[1].exp())
        loss.backward()
        return loss

    optimiser.step(closure)
    scale, shape = logs.detach().exp()
    return scale, shape


def rows(shapes: list[float], draws: int) -> list[dict[str, str | float]]:
    """One for each shape of the data and each objective."""
    found: list[dict[str, str | float]] = []
    for true in shapes:
        torch.manual_seed(0)
        law = GeneralizedGaussian(torch.zeros((), dtype=torch.float64), 1.0, true)
        x = law.sample((draws,))
        for name, objective in (("likelihood", likelihood), ("published", published)):
            scale, shape = fit(objective, x)
            inside = interval_coverage(pit(x, law.loc, scale, shape), torch.tensor([0.9]))
            variance = aleatoric_variance(scale, shape) / law.variance
            values = (true, name, scale.item(), shape.item(), variance.item(), inside.item())
            found.append(dict(zip(COLUMNS, values, strict=True)))
    return found


def table(found: list[dict[str, str | float]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "| ---: | --- |" + " ---: |" * 4]
    for row in found:
        true, name, *fitted, inside = row.values()
        cells = [f"{true:g}", name, *(f"{v:.3f}" for v in fitted), f"{inside:.1%}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and write it into a page between its marks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", type=float, nargs="+", default=SHAPES)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    found = table(rows(options.shapes, options.draws))
    print(found)
    if options.page:
        write_between(options.page, "shapes", found)


if __name__ == "__main__":
    main()

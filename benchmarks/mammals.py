"""Entailment cones on the mammals of WordNet: hidden ancestors found from direct edges.

    python benchmarks/mammals.py [--dim 5] [--shown 0.5] [--steps 1500] [--seeds 3] ...

The task of Ganea et al. (2018) at the size of one CPU: of the transitive closure's
pairs the direct edges and a share ``--shown`` of the others are shown; a tenth of the hidden ones
chooses the threshold, the rest is the test. A pair is judged by its exterior angle less the
aperture. ``hidden`` is the F1 of the test pairs among ten random non-pairs for each, with the
parent or the child replaced; ``against all`` of all that is hidden among all non-pairs, 1.39
million, at the threshold best for it; ``pairs`` of the whole closure, shown or not, likewise. The
row of chance says "yes" to everything. Negatives of the training avoid what is shown, not what is
hidden. One thread, unless OMP_NUM_THREADS says more.
"""

import argparse
import time
from collections.abc import Callable

import geoopt
import torch
from torch import Tensor

from spaceforms.datasets import load_mammals
from spaceforms.losses import Hierarchy, entailment_ranking
from spaceforms.manifolds import Euclidean, Lorentz, Manifold, PoincareBall, as_geoopt

SPACES: dict[str, Callable[[], Manifold]] = {
    "PoincareBall": PoincareBall,
    "Lorentz": Lorentz,
    "Euclidean": Euclidean,
}


def sampled(pairs: Tensor, count: int, known: Tensor, generator: torch.Generator) -> Tensor:
    """Non-pairs (B, count, 2): one end of each pair replaced by any node, the ends in turn."""
    nodes = len(known)
    other = torch.randint(nodes, (len(pairs), count), generator=generator)
    result = pairs[:, None].repeat(1, count, 1)
    for k in range(count):
        result[:, k, k % 2] = other[:, k]
    # Where chance hit a known pair or a loop, the pair turned round, which is none of either.
    wrong = known[result[..., 0], result[..., 1]] | (result[..., 0] == result[..., 1])
    return torch.where(wrong[..., None], pairs[:, None].flip(-1), result)


def best_f1(score: Tensor, truth: Tensor) -> tuple[float, float]:
    """The best F1 of ``score <= threshold`` and that threshold."""
    order = score.argsort()
    score, hits = score[order], truth[order].double().cumsum(0)
    f1 = 2 * hits / (torch.arange(1, len(hits) + 1) + hits[-1])
    k = int(f1.argmax())
    return float(f1[k]), float(score[k])


def f1_at(threshold: float, score: Tensor, truth: Tensor) -> float:
    """F1 of ``score <= threshold``."""
    chosen = score <= threshold
    return float(2 * (chosen & truth).sum() / (chosen.sum() + truth.sum()))


def embed(
    space: Manifold, shown: Tensor, known: Tensor, options: argparse.Namespace, seed: int
) -> Tensor:
    """Points (nodes, m) that have learned the pairs shown."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(len(known), options.dim, generator=generator, dtype=torch.float64)
    start = start / start.norm(dim=-1, keepdim=True) * options.radius
    points = geoopt.ManifoldParameter(space.from_normal(start), manifold=as_geoopt(space))
    optimiser = geoopt.optim.RiemannianAdam([points], lr=options.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
    for _ in range(options.steps):
        wrong = sampled(shown, options.negatives, known, generator)
        loss = entailment_ranking(
            points[shown[:, 0]],
            points[shown[:, 1]],
            points[wrong[..., 0]],
            points[wrong[..., 1]],
            manifold=space,
            margin=options.margin,
            hinge=options.hinge,
            softness=options.softness,
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return points.detach()


def run(
    space: Manifold, tree: Hierarchy, options: argparse.Namespace, seed: int
) -> dict[str, float]:
    """F1 scores of one embedding."""
    generator = torch.Generator().manual_seed(1000 + seed)
    direct = tree.distance == 1
    far = tree.pairs[~direct][torch.randperm(int((~direct).sum()), generator=generator)]
    cut = round(options.shown * len(far))
    shown, hidden = torch.cat([tree.pairs[direct], far[:cut]]), far[cut:]
    known = torch.zeros(tree.nodes, tree.nodes, dtype=torch.bool)
    known[shown[:, 0], shown[:, 1]] = True
    began = time.perf_counter()
    points = embed(space, shown, known, options, seed)
    seconds = time.perf_counter() - began
    angle, aperture = space.cones(points[:, None], points)
    score = (angle - aperture).squeeze(-1)

    every = torch.arange(tree.nodes)
    truth = tree.contains(every[:, None], every)
    apart = ~torch.eye(tree.nodes, dtype=torch.bool)
    wrong = tree.negatives(hidden, 10, generator=generator)
    marks = torch.cat([hidden[:, None], wrong], dim=1)
    judged = score[marks[..., 0], marks[..., 1]]
    yes = truth[marks[..., 0], marks[..., 1]]
    tenth = len(hidden) // 10
    _, threshold = best_f1(judged[:tenth].flatten(), yes[:tenth].flatten())
    unseen = apart & ~known
    return {
        "hidden": f1_at(threshold, judged[tenth:].flatten(), yes[tenth:].flatten()),
        "against all": best_f1(score[unseen], truth[unseen])[0],
        "pairs": best_f1(score[apart], truth[apart])[0],
        "seconds": seconds,
    }


def main() -> None:
    """Print a row for each space and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spaces", nargs="+", default=list(SPACES), choices=list(SPACES))
    parser.add_argument("--dim", type=int, default=5)
    parser.add_argument("--shown", type=float, default=0.5)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--negatives", type=int, default=10)
    parser.add_argument("--margin", type=float, default=0.3)
    parser.add_argument("--hinge", default="softplus", choices=["relu", "softplus", "leaky"])
    parser.add_argument("--softness", type=float, default=0.05)
    parser.add_argument("--radius", type=float, default=0.5, help="of the start, in R")
    options = parser.parse_args()
    mammals = load_mammals()
    tree = Hierarchy(mammals.edges[:, 1], mammals.edges[:, 0])
    print(f"{tree}, depth {int(tree.depth.max())}; {vars(options)}")
    hidden = round((1 - options.shown) * int((tree.distance > 1).sum()))
    every = tree.nodes * (tree.nodes - 1)
    chance = [
        2 / 12,
        2 * hidden / (hidden + every),
        2 * len(tree.pairs) / (len(tree.pairs) + every),
    ]
    print(f"{'':14s} {'hidden':>8s} {'against all':>12s} {'pairs':>8s} {'seconds':>8s}")
    print(f"{'chance':14s} {chance[0]:8.3f} {chance[1]:12.4f} {chance[2]:8.4f}")
    for name in options.spaces:
        for seed in range(options.seeds):
            r = run(SPACES[name](), tree, options, seed)
            print(
                f"{name:14s} {r['hidden']:8.3f} {r['against all']:12.4f} {r['pairs']:8.4f} "
                f"{r['seconds']:8.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Hidden ancestors found from direct edges: cones on the mammals of WordNet.

The task of Ganea et al. (2018) at the size of one CPU: of the pairs (ancestor, descendant) the
direct edges and a share ``shown`` of the others are learned from; a tenth of the hidden ones
chooses a threshold, the rest is the test. A pair is judged by its exterior angle less the aperture.
"""

from collections.abc import Callable
from dataclasses import dataclass

import geoopt
import torch
from torch import Tensor

from spaceforms.datasets import load_mammals
from spaceforms.losses import Hierarchy, entailment_ranking
from spaceforms.manifolds import Euclidean, Lorentz, Manifold, PoincareBall, Sphere, as_geoopt
from spaceforms.models.graphs.links import best_f1, f1_at, f1_of_yes

SPACES: dict[str, Callable[[], Manifold]] = {
    "Euclidean": Euclidean,
    "Lorentz": Lorentz,
    "PoincareBall": PoincareBall,
    "Sphere": Sphere,
}
_FALSE = 10  # non-pairs for each hidden pair


@dataclass(frozen=True)
class Options:
    """One embedding: where, how much of the closure it is shown, and how it learns."""

    space: str
    dim: int
    seed: int
    shown: float = 0.5
    steps: int = 1500
    lr: float = 0.05
    negatives: int = 10
    margin: float = 0.3
    softness: float = 0.05
    radius: float = 0.5  # of the start

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ValueError(f"space is {self.space!r}; expected one of {', '.join(SPACES)}.")


def figures(options: Options) -> dict[str, float]:
    """F1 scores of one embedding, each with that of saying yes to everything.

    "hidden": of the test pairs among ten random non-pairs for each, with the parent or the child
    replaced. "hidden, all": of all that is hidden among all that is no pair, 1.39 million, at the
    threshold best for it. "closure": of the whole closure, shown or not, likewise.
    """
    mammals = load_mammals()
    tree = Hierarchy(parent=mammals.parent, child=mammals.child)
    generator = torch.Generator().manual_seed(1000 + options.seed)
    direct = tree.distance == 1
    far = tree.pairs[~direct][torch.randperm(int((~direct).sum()), generator=generator)]
    cut = round(options.shown * len(far))
    shown, hidden = torch.cat([tree.pairs[direct], far[:cut]]), far[cut:]
    known = torch.zeros(tree.nodes, tree.nodes, dtype=torch.bool)
    known[shown[:, 0], shown[:, 1]] = True
    space = SPACES[options.space]()
    points = embed(space, shown, known, options)
    angle, aperture = space.cones(points[:, None], points)
    score = (angle - aperture).squeeze(-1)

    every = torch.arange(tree.nodes)
    truth = tree.contains(every[:, None], every)
    apart = ~torch.eye(tree.nodes, dtype=torch.bool)
    wrong = tree.negatives(hidden, _FALSE, generator=generator)
    marks = torch.cat([hidden[:, None], wrong], dim=1)
    judged = score[marks[..., 0], marks[..., 1]]
    yes = truth[marks[..., 0], marks[..., 1]]
    tenth = len(hidden) // 10
    _, threshold = best_f1(judged[:tenth].flatten(), yes[:tenth].flatten())
    unseen = apart & ~known
    return {
        "F1, hidden": f1_at(threshold, judged[tenth:].flatten(), yes[tenth:].flatten()),
        "F1, hidden, chance": f1_of_yes(yes[tenth:]),
        "F1, hidden, all": best_f1(score[unseen], truth[unseen])[0],
        "F1, hidden, all, chance": f1_of_yes(truth[unseen]),
        "F1, closure": best_f1(score[apart], truth[apart])[0],
        "F1, closure, chance": f1_of_yes(truth[apart]),
    }


def embed(space: Manifold, shown: Tensor, known: Tensor, options: Options) -> Tensor:
    """Points (nodes, m) that have learned the pairs shown."""
    generator = torch.Generator().manual_seed(options.seed)
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
            hinge="softplus",
            softness=options.softness,
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return points.detach()


def sampled(pairs: Tensor, count: int, known: Tensor, generator: torch.Generator) -> Tensor:
    """Non-pairs (B, count, 2): one end of each pair replaced by any node, the ends in turn.

    They avoid what is shown, not what is hidden, which training cannot know.
    """
    nodes = len(known)
    other = torch.randint(nodes, (len(pairs), count), generator=generator)
    result = pairs[:, None].repeat(1, count, 1)
    for k in range(count):
        result[:, k, k % 2] = other[:, k]
    # Where chance hit a known pair or a loop, the pair turned round, which is none of either.
    wrong = known[result[..., 0], result[..., 1]] | (result[..., 0] == result[..., 1])
    return torch.where(wrong[..., None], pairs[:, None].flip(-1), result)

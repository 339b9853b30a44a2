"""A part of WordNet embedded by ``spaceforms embed``: one run of the command, its figures."""

import dataclasses
from pathlib import Path
from typing import Any

from spaceforms.models.graphs.config import EmbedOptions
from spaceforms.models.graphs.run import embed


def Options(edges: str = "wordnet:mammals", **options: Any) -> EmbedOptions:
    """Those of the command, of the mammals if not said; the folder is a run's own."""
    return EmbedOptions(edges, Path("embedding"), **options)


def figures(folder: Path, options: EmbedOptions) -> dict[str, float]:
    """MAP, mean rank and what a run took; of hidden pairs, where there are some, F1 and MAP."""
    report = embed(dataclasses.replace(options, out=folder / "embedding", overwrite=True))
    assert report is not None
    found = {
        "MAP": report["map"],
        "mean rank": report["mean_rank"],
        "MAP, popularity": report["controls"]["popularity"]["map"],
        "mean radius": report["radius"]["mean"],
        "training seconds": report["seconds"],
    }
    hidden = report.get("hidden", {})
    names = {"f1": "F1, hidden", "map": "MAP, hidden", "f1_of_yes": "F1, hidden, chance"}
    return found | {name: hidden[key] for key, name in names.items() if key in hidden}

"""The tree root > group > subgroup > name > picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .concept import Concept

LEVELS = ("root", "group", "subgroup", "name", "picture")


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """A rooted tree of named nodes, parents before children; node 0 is the root.

    `labels[k]` is the text of node k, `level[k]` its index into `LEVELS` and `parent[k]` its
    parent, -1 at the root. `concept_node[c]` is the node of concept c. Pictures are leaves below
    their concept's node and are not listed: `concept_node[data.concept]` holds their parents.
    """

    labels: tuple[str, ...]
    level: NDArray[np.int64]
    parent: NDArray[np.int64]
    concept_node: NDArray[np.int64]

    @classmethod
    def of(cls, concepts: Sequence[Concept]) -> Hierarchy:
        """The tree of a list of concepts; groups and subgroups in order of appearance."""
        groups = list(dict.fromkeys(c.group for c in concepts))
        # A subgroup is known by its group too: two groups may use one word.
        subgroups = list(dict.fromkeys((c.group, c.subgroup) for c in concepts))
        group_node = {group: 1 + i for i, group in enumerate(groups)}
        subgroup_node = {pair: 1 + len(groups) + i for i, pair in enumerate(subgroups)}
        first = 1 + len(groups) + len(subgroups)
        labels = ["everything", *groups, *(name for _, name in subgroups)]
        labels += [c.name for c in concepts]
        parent = [-1] + [0] * len(groups) + [group_node[group] for group, _ in subgroups]
        parent += [subgroup_node[c.group, c.subgroup] for c in concepts]
        counts = (1, len(groups), len(subgroups), len(concepts))
        return cls(
            labels=tuple(labels),
            level=np.repeat(np.arange(4), counts),
            parent=np.asarray(parent, np.int64),
            concept_node=np.arange(first, first + len(concepts)),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def text(self, node: int) -> str:
        """A node's label as a caption: "Food & Drink" -> "food & drink"; a name as it is."""
        label = self.labels[node]
        return label if self.level[node] == LEVELS.index("name") else caption_of(label)

    def nodes(self, level: str) -> NDArray[np.int64]:
        """All nodes of one level, "root" to "name"."""
        if level not in LEVELS[:-1]:
            raise ValueError(f"Hierarchy.nodes: expected a level in {LEVELS[:-1]}, got {level!r}")
        return np.flatnonzero(self.level == LEVELS.index(level))

    def path(self, node: int) -> list[int]:
        """The nodes from the root down to `node`, both included."""
        path = [int(node)]
        while self.parent[path[-1]] >= 0:
            path.append(int(self.parent[path[-1]]))
        return path[::-1]

    def ancestor(self, level: str) -> NDArray[np.int64]:
        """For each concept its ancestor at a level, shape (concepts,)."""
        depth = LEVELS[:-1].index(level) if level in LEVELS[:-1] else None
        if depth is None:
            raise ValueError(
                f"Hierarchy.ancestor: expected a level in {LEVELS[:-1]}, got {level!r}"
            )
        nodes = self.concept_node
        for _ in range(LEVELS.index("name") - depth):
            nodes = self.parent[nodes]
        return nodes

    def closure(self) -> NDArray[np.int64]:
        """All pairs (node, ancestor), shape (edges, 2): the transitive closure."""
        pairs = [(k, a) for k in range(len(self)) for a in self.path(k)[:-1]]
        return np.asarray(pairs, np.int64).reshape(-1, 2)


def caption_of(label: str) -> str:
    """A group's or subgroup's label as a caption: "Food & Drink" -> "food & drink"."""
    return label.replace("-", " ").lower()

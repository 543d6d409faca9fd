"""Deciding several fields together, since only the whole answer is right or wrong.

Fields that one of them decides (a category by its next step) form a group of which only the combinations seen in training
can be chosen. The biggest group is the anchor; every other group is weighed by how much more often its values were seen
with the anchor's combination than on their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Joint", "learn_joint"]

_ASSOCIATION = 0.5
"""Weight of the association between groups; chosen by cross-validation on support tickets."""

_SMOOTHING = 10.0
_DECIDES = 0.98
Floats = NDArray[np.float64]


@dataclass(slots=True)
class _Group:
    """Fields decided together, the combinations seen of them (label numbers), and their association with the anchor's."""

    names: tuple[str, ...]
    combinations: NDArray[np.int64]
    association: Floats

    def scores(self, scores: Mapping[str, Floats]) -> Floats:
        total = np.zeros(len(self.combinations))
        for column, name in enumerate(self.names):
            total += scores[name][self.combinations[:, column]]
        return total

    def choice(self, number: int) -> dict[str, int]:
        return {name: int(self.combinations[number, i]) for i, name in enumerate(self.names)}


@dataclass(slots=True)
class Joint:
    """The groups, the anchor first."""

    groups: list[_Group]

    def decide(self, scores: Mapping[str, Floats]) -> dict[str, int]:
        """Return the best label number of every field from its log-probabilities."""
        anchor, *others = self.groups
        total = anchor.scores(scores)
        given = [one.scores(scores)[:, None] + one.association for one in others]
        for table in given:
            total = total + table.max(axis=0)
        best = int(np.argmax(total))
        chosen = anchor.choice(best)
        for one, table in zip(others, given, strict=True):
            chosen.update(one.choice(int(np.argmax(table[:, best]))))
        return chosen


def learn_joint(columns: Mapping[str, Sequence[str]], labels: Mapping[str, Sequence[str]]) -> Joint:
    """Find the groups and their associations in the training answers; `labels` number each field's values."""
    numbered = {}
    for name, column in columns.items():
        place = {label: number for number, label in enumerate(labels[name])}
        numbered[name] = np.array([place[label] for label in column])
    groups, rows = [], []
    for names in _groups(columns):
        table = np.stack([numbered[name] for name in names], axis=1)
        combinations, seen = np.unique(table, axis=0, return_inverse=True)
        groups.append(_Group(names, combinations, np.zeros((1, 1))))
        rows.append(seen.ravel())
    order = sorted(range(len(groups)), key=lambda one: -len(groups[one].combinations))
    anchor = order[0]
    for one in order[1:]:
        shape = (len(groups[one].combinations), len(groups[anchor].combinations))
        groups[one].association = _association(rows[one], rows[anchor], shape)
    return Joint([groups[one] for one in order])


def _association(
    rows: NDArray[np.int64], anchor: NDArray[np.int64], shape: tuple[int, int]
) -> Floats:
    """Return the smoothed log of P(value | anchor's combination) / P(value), weighted."""
    together = np.zeros(shape)
    np.add.at(together, (rows, anchor), 1.0)
    alone = together.sum(axis=1, keepdims=True) / together.sum()
    given = (together + _SMOOTHING * alone) / (together.sum(axis=0, keepdims=True) + _SMOOTHING)
    return np.asarray(_ASSOCIATION * np.log(given / alone), dtype=np.float64)


def _groups(columns: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Put a field together with those it decides, the ones with most values first."""
    groups: list[list[str]] = []
    for name in sorted(columns, key=lambda one: -len(set(columns[one]))):
        for group in groups:
            if _decides(columns[group[0]], columns[name]):
                group.append(name)
                break
        else:
            groups.append([name])
    return [tuple(group) for group in groups]


def _decides(left: Sequence[str], right: Sequence[str]) -> bool:
    """Say whether the value on the left determines the one on the right, a few wrong labels aside."""
    votes: dict[str, dict[str, int]] = {}
    for key, value in zip(left, right, strict=True):
        counts = votes.setdefault(key, {})
        counts[value] = counts.get(value, 0) + 1
    told = sum(max(counts.values()) for counts in votes.values())
    return len(set(right)) > 1 and len(votes) < len(left) / 2 and told >= _DECIDES * len(left)

"""Whether a model answers otherwise than it did, although it never answers quite alike: which of three answers is the odd one.

A model at temperature 0 answers some cases now one way and now another. So one earlier answer tells nothing of a change, and two
do: where exactly two of three answers to a case agree, each of the three is as likely to be the odd one out while the model is
the same, whatever its noise on that case is (the three are exchangeable). Of such cases the newest answer is the odd one in a
third by chance, independently; more than that is a change. The test is exact, and needs no estimate of the noise.

Cases of one cluster may move together. So a cluster has one vote: the pass that was the odd one in most of its cases; without such
a pass it tells nothing. Passes are exchangeable within a cluster as within a case, so that a vote is the newest's in a third of
them too, and the test is as exact as for single cases. A case without a cluster is one of its own.

The condition: clusters are independent of each other within a pass. It does not hold where a service sends a whole pass to one of
several back ends that answer differently: all cases move together then, and no test on a few passes can tell that from a change.

Weeks hang together, since the two earlier answers stay. The k-th look is therefore tested at alpha / (k (k + 1)), which adds up to
alpha over all looks for ever, whatever hangs together how (Bonferroni 1936; the series is 1).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from scipy import stats

__all__ = ["OddOnes", "Triple", "level_of_look", "odd_ones"]


Triple = tuple[Hashable, Hashable, Hashable]
"""The answers of three passes to one case, the newest last."""


class OddOnes(NamedTuple):
    """Of `telling` clusters one pass is the odd one, in `odd` of them the newest; `p` is one-sided.

    `clustered`: some cluster has more than one case.
    """

    telling: int
    odd: int
    p: float
    clustered: bool = False

    @property
    def expected(self) -> float:
        """How often chance alone makes the newest the odd one."""
        return self.telling / 3.0


def odd_ones(triples: Sequence[Triple], clusters: Sequence[Hashable] | None = None) -> OddOnes:
    """Count the clusters in which the newest pass is the odd one out, and how likely so many are by chance.

    `clusters` names the cluster of each triple; without it every case is a cluster of its own.
    """
    named = range(len(triples)) if clusters is None else clusters
    counts: dict[Hashable, list[int]] = {}
    for cluster, triple in zip(named, triples, strict=True):
        count = counts.setdefault(cluster, [0, 0, 0])
        if len(set(triple)) == 2:
            count[_odd_place(triple)] += 1
    votes = [count.index(max(count)) for count in counts.values() if count.count(max(count)) == 1]
    odd = sum(vote == 2 for vote in votes)
    p = float(stats.binom.sf(odd - 1, len(votes), 1.0 / 3.0)) if votes else 1.0
    return OddOnes(len(votes), odd, p, clustered=len(counts) < len(triples))


def _odd_place(triple: Triple) -> int:
    first, second, third = triple
    return 2 if first == second else 1 if first == third else 0


def level_of_look(look: int, alpha: float) -> float:
    """Return the level of the look with this number, from 1; all of them together are alpha."""
    if look < 1:
        raise ValueError(f"looks are counted from 1, got {look}")
    return alpha / (look * (look + 1))

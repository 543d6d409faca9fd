"""Whether a model answers otherwise than it did, although it never answers quite alike: which of three answers is the odd one.

A model at temperature 0 answers some cases now one way and now another. So one earlier answer tells nothing of a change, and two
do: where exactly two of three answers to a case agree, each of the three is as likely to be the odd one out while the model is
the same, whatever its noise on that case is (the three are exchangeable). Of such cases the newest answer is the odd one in a
third by chance, independently; more than that is a change. The test is exact, and needs no estimate of the noise.

Weeks hang together, since the two earlier answers stay. The k-th look is therefore tested at alpha / (k (k + 1)), which adds up to
alpha over all looks for ever, whatever hangs together how (Bonferroni 1936; the series is 1).
"""

from __future__ import annotations

from typing import NamedTuple

from scipy import stats

__all__ = ["OddOnes", "level_of_look", "odd_ones"]


class OddOnes(NamedTuple):
    """Of `telling` cases two of three answers agree, in `odd` of them the newest differs; `p` is one-sided."""

    telling: int
    odd: int
    p: float

    @property
    def expected(self) -> float:
        """How often chance alone makes the newest the odd one."""
        return self.telling / 3.0


def odd_ones(triples: list[tuple[object, object, object]]) -> OddOnes:
    """Count the cases in which the third of three answers is the odd one out, and how likely so many are by chance."""
    telling = [(a, b, c) for a, b, c in triples if len({a, b, c}) == 2]
    odd = sum(a == b for a, b, _ in telling)
    p = float(stats.binom.sf(odd - 1, len(telling), 1.0 / 3.0)) if telling else 1.0
    return OddOnes(telling=len(telling), odd=odd, p=p)


def level_of_look(look: int, alpha: float) -> float:
    """Return the level of the look with this number, from 1; all of them together are alpha."""
    if look < 1:
        raise ValueError(f"looks are counted from 1, got {look}")
    return alpha / (look * (look + 1))

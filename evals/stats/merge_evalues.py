"""E-values of looks that hang together, merged into one that may be looked at for ever.

An e-value has an expectation of at most 1 while the null holds. E-values of independent samples may be multiplied; those
of one set of cases asked again and again may not, since the cases are the same. Their weighted sum keeps its promise
whatever hangs together how (Vovk & Wang 2021, E-values: calibration, combination and applications): with weights that
sum to at most 1 it has an expectation of at most 1 over all looks, and as it never falls, it reaches 1 / alpha at any
time at all with probability at most alpha (Markov).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["log_merged"]


def log_merged(log_e: Sequence[float | None]) -> float:
    """Log of the merged e-value of looks in their order; the k-th weighs 1 / (k (k + 1)), None counts nothing.

    Looks that say the same add up to what one of them says, and no more; what is first seen at look k needs k (k + 1)
    times the evidence. -inf when nothing was seen.
    """
    terms = [
        value - math.log(look * (look + 1))
        for look, value in enumerate(log_e, start=1)
        if value is not None
    ]
    return float(np.logaddexp.reduce(terms)) if terms else -math.inf

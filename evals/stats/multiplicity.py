"""Many questions at once: which slices regressed, which improvements may be claimed.

"All checks must pass" needs no correction (an intersection-union test, Berger 1982). Naming
the slices that got worse does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evals.stats.validation import Floats, finite


class Adjusted(NamedTuple):
    """Adjusted p-values and which hypotheses are rejected, in input order, shape (m,)."""

    adjusted: Floats
    reject: NDArray[np.bool_]


def holm(p_values: ArrayLike, *, alpha: float = 0.05) -> Adjusted:
    """Holm's (1979) step-down procedure: P(any false rejection) is at most `alpha`.

    Raises:
        ValueError: for no p-values, or p-values outside [0, 1].
    """
    values = finite(p_values, "p_values")
    if values.min() < 0.0 or values.max() > 1.0:
        raise ValueError("p_values must lie in [0, 1]")
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return Adjusted(adjusted, adjusted <= alpha)

"""What the promise costs a good model: power, refusals, and the calls that looking early saves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from promise.cells import Cell, Setting
from promise.counts import DIFFERING, MARGIN, lose_by_lot, paths, tables
from promise.rows import Row, measured, share
from promise.verdicts import DROP, at_fixed_n, looking_early

from evals.stats.power import paired_sample_size
from evals.stats.sequential import plan_looks

__all__ = ["CELLS"]

PASSED = "promoted, by how good it really is"
REFUSED = "refused, by how good it really is"
SAVED = "calls saved by looking early"
LOST_POINTS = 0.03
"""How much power, and how many of the calls saved, may be given up for the promises that came later."""


def _power(factor: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    n = paired_sample_size(DIFFERING, MARGIN, power=0.9)
    found = at_fixed_n(setting.gate(DROP), tables(rng, setting.binary, n, factor * MARGIN))
    then = BEFORE.get(f"power {factor:g}")
    least = then - LOST_POINTS if factor >= 0.0 and then is not None else None
    name = f"{_worded(factor)}, n={n}"
    yield share(PASSED, name, found.passed, before=then, bound=least, at_most=False)


def _lossy(lost: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    n = paired_sample_size(DIFFERING, MARGIN, power=0.9)
    found = lose_by_lot(rng, tables(rng, setting.binary, n, 0.0), lost)
    now = at_fixed_n(setting.gate(DROP, min_scored=0.95), found)
    left_out = at_fixed_n(setting.gate(DROP, min_scored=0.95, missing="at_random"), found)
    name = f"equal, {lost:.1%} of its answers lost at random, n={n}"
    yield share(PASSED, name, now.passed, before=left_out.passed)


def _early(factor: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    fixed = paired_sample_size(DIFFERING, MARGIN, power=0.9)
    sizes = plan_looks(math.ceil(1.10 * fixed)).sizes
    found = looking_early(setting.gate(DROP), paths(rng, setting.binary, sizes, factor * MARGIN))
    name, key = f"{_worded(factor)}, ten looks", f"{factor:g}"
    then, saved = BEFORE.get(f"looks {key}"), BEFORE.get(f"saved {key}")
    if factor == -1.0:
        yield share(PASSED, name, found.passed, before=then, bound=0.055)
    else:
        least = then - LOST_POINTS if factor >= 0.0 and then is not None else None
        yield share(PASSED, name, found.passed, before=then, bound=least, at_most=False)
    limit = 0.01 if factor == 0.0 else None
    yield share(REFUSED, name, found.refused, before=BEFORE.get(f"refused {key}"), bound=limit)
    yield measured(
        SAVED,
        _worded(factor),
        1.0 - float(np.mean(found.cases)) / fixed,
        setting.binary,
        before=saved,
        least=None if saved is None else saved - LOST_POINTS,
    )


BEFORE: dict[str, float] = {
    "power 1": 1.0,
    "power 0": 0.8960,
    "power -0.5": 0.4159,
    "looks 1": 1.0,
    "looks 0": 0.8912,
    "looks -0.5": 0.4054,
    "looks -1": 0.0485,
    "looks -2": 0.0001,
    "looks -3": 0.0,
    "refused 1": 0.0,
    "refused 0": 0.0,
    "refused -0.5": 0.0003,
    "refused -1": 0.0039,
    "refused -2": 0.1680,
    "refused -3": 0.8145,
    "saved 1": 0.6716,
    "saved 0": 0.3293,
    "saved -0.5": 0.1838,
    "saved -1": 0.3162,
    "saved -2": 0.6033,
    "saved -3": 0.7370,
}
"""The same rates before missing answers, tries and sweeps were allowed for, with 20,000 replicates each."""


def _worded(factor: float) -> str:
    if factor == 0.0:
        return "equal"
    amount = f"{abs(factor):g} margin{'s' if abs(factor) > 1 else ''}"
    return f"{'better' if factor > 0 else 'worse'} by {amount}"


FACTORS = (1.0, 0.0, -0.5, -1.0, -2.0, -3.0)
CELLS = [
    *(Cell(name=f"power {factor:g}", rows=partial(_power, factor)) for factor in (1.0, 0.0, -0.5)),
    *(Cell(name=f"lossy {lost:g}", rows=partial(_lossy, lost)) for lost in (0.002, 0.005, 0.01)),
    *(Cell(name=f"looking {factor:g}", rows=partial(_early, factor)) for factor in FACTORS),
]

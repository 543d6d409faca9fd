"""Planning before money is spent: what a suite can resolve, and how many cases a check needs.

The power of the paired test is computed exactly, by adding up the probabilities of all tables
of wins and losses on which the implemented test passes; sample sizes are the closed form
(n = (z_alpha + z_power)^2 (psi - delta^2) / (delta + margin)^2).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from evals.stats.paired_binary import tango_z
from evals.stats.sequential import LookPlan
from evals.stats.validation import Floats, normal_critical, t_critical, tail

# Tables further out than this many standard deviations have no probability worth adding.
_FAR = 8.0


def min_n_paired(margin: float, *, confidence: float = 0.95, span: float = 1.0) -> int:
    """Smallest n at which a paired check can pass: no case went worse, against `margin`.

    With all differences 0 the bounded score passes when n > z^2 (1 - m) / m.

    Args:
        margin: allowed drop, in the units of the score, in (0, span).
        confidence: of the check.
        span: hi - lo of the score.

    Raises:
        ValueError: for a margin outside (0, span).
    """
    share = _share(margin, span)
    return math.floor(normal_critical(confidence) ** 2 * (1.0 - share) / share) + 1


def min_clusters_paired(margin: float, *, confidence: float = 0.95, span: float = 1.0) -> int:
    """Smallest number of clusters at which a clustered paired check can pass.

    With all differences 0 every cluster counts as one case, against t(G - 1). Arguments and
    errors as `min_n_paired`.
    """
    share = _share(margin, span)
    groups = 2
    while groups <= t_critical(confidence, groups - 1) ** 2 * (1.0 - share) / share:
        groups += 1
    return groups


def min_n_absolute(
    threshold: float,
    *,
    confidence: float = 0.95,
    method: Literal["clopper_pearson", "wilson"] = "clopper_pearson",
) -> int:
    """Smallest n at which "pass rate above `threshold`" can pass: all right.

    Clopper-Pearson: alpha^(1/n) > threshold; Wilson: n > z^2 threshold / (1 - threshold).

    Raises:
        ValueError: for a threshold outside (0, 1).
    """
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"no suite can show a pass rate above {threshold}: use one in (0, 1)")
    if method == "wilson":
        odds = threshold / (1.0 - threshold)
        return math.floor(normal_critical(confidence) ** 2 * odds) + 1
    return math.floor(math.log(tail(confidence)) / math.log(threshold)) + 1


def paired_sample_size(
    discordance: float,
    margin: float,
    *,
    true_diff: float = 0.0,
    confidence: float = 0.95,
    power: float = 0.9,
) -> int:
    """Pairs needed to show "not worse by `margin`" with the given power, closed form.

    Args:
        discordance: psi, the share of cases on which the two models differ (for graded
            scores the mean squared difference).
        margin: allowed drop; negative for a required gain.
        true_diff: candidate minus baseline, as it really is; above -margin.
        confidence: of the check.
        power: wanted probability of PASS.

    Raises:
        ValueError: when true_diff isn't above -margin, or |true_diff| exceeds discordance.
    """
    if true_diff + margin <= 0.0:
        raise ValueError("no sample size can show what isn't so: true_diff must be above -margin")
    if not abs(true_diff) <= discordance <= 1.0:
        raise ValueError(f"discordance {discordance} can't go with a difference of {true_diff}")
    quantiles = normal_critical(confidence) + float(special.ndtri(power))
    variance = discordance - true_diff**2
    return max(1, math.ceil((quantiles / (true_diff + margin)) ** 2 * variance))


def paired_power(
    n: int,
    discordance: float,
    margin: float,
    *,
    true_diff: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Exact P(PASS) of the paired test (Tango) on n cases.

    Arguments and errors as `paired_sample_size`, but true_diff may be anything: at -margin
    this is the type-I error.
    """
    if n < 1 or not abs(true_diff) <= discordance <= 1.0:
        raise ValueError(f"discordance {discordance} can't go with a difference of {true_diff}")
    won, lost = (discordance + true_diff) / 2.0, (discordance - true_diff) / 2.0
    wins, losses = _likely(n, won)[:, None], _likely(n, lost)[None, :]
    possible = wins + losses <= n
    losses = np.where(possible, losses, 0)
    passed = tango_z(np.where(possible, wins, 0), losses, n, -margin) > normal_critical(confidence)
    log_probability = (
        special.gammaln(n + 1)
        - special.gammaln(wins + 1)
        - special.gammaln(losses + 1)
        - special.gammaln(np.maximum(n - wins - losses, 0) + 1)
        + special.xlogy(wins, won)
        + special.xlogy(losses, lost)
        + special.xlogy(np.maximum(n - wins - losses, 0), 1.0 - discordance)
    )
    return float(np.sum(np.exp(log_probability), where=possible & passed))


def detectable_margin(
    n: int, discordance: float, *, confidence: float = 0.95, power: float = 0.9
) -> float:
    """Smallest margin that n pairs can resolve between equal models, with the given power.

    The closed form of `paired_sample_size` turned round, but never below what a flawless
    result could show.
    """
    quantiles = normal_critical(confidence) + float(special.ndtri(power))
    z2 = normal_critical(confidence) ** 2
    return max(quantiles * math.sqrt(discordance / n), z2 / (n + z2))


def overall_power(
    powers: ArrayLike,
    correlation: float | ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    draws: int = 20_000,
) -> float:
    """P(all checks pass) for checks whose statistics are correlated, by simulation.

    Args:
        powers: shape (k,): power of each check alone.
        correlation: of the statistics, one number for all pairs or shape (k, k).
        rng: source of randomness.
        confidence: of the checks.
        draws: simulated suites; the standard error is at most 0.5 / sqrt(draws).

    Raises:
        ValueError: for powers outside (0, 1), or a matrix that is no correlation.
    """
    alone = np.asarray(powers, dtype=np.float64)
    if alone.size == 0 or not ((alone > 0.0) & (alone < 1.0)).all():
        raise ValueError("powers must lie in (0, 1), and there must be at least one")
    matrix = np.asarray(correlation, dtype=np.float64)
    if matrix.ndim == 0:
        matrix = np.full((alone.size, alone.size), float(matrix))
        np.fill_diagonal(matrix, 1.0)
    values, vectors = np.linalg.eigh(matrix)
    if matrix.shape != (alone.size, alone.size) or values[0] < -1e-8:
        raise ValueError("correlation isn't a correlation matrix of these checks")
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    critical = normal_critical(confidence)
    drift = critical + special.ndtri(alone)
    z = rng.standard_normal((draws, alone.size)) @ root.T + drift
    return float(np.mean((z > critical).all(axis=1)))


def check_correlation(differences: ArrayLike) -> Floats:
    """Correlation of the checks' statistics, from past scores on the same cases.

    Args:
        differences: shape (n, k): one column for each check.

    Returns:
        shape (k, k); a check that never varied is uncorrelated with the others.
    """
    table = np.asarray(differences, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 2 or not np.isfinite(table).all():
        raise ValueError("differences must be finite, of shape (cases, checks), two cases or more")
    centred = table - table.mean(axis=0)
    scale = np.sqrt(np.square(centred).sum(axis=0))
    scaled = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0.0)
    matrix: Floats = scaled.T @ scaled
    np.fill_diagonal(matrix, 1.0)
    return matrix


def expected_share(
    plan: LookPlan,
    discordance: float,
    margin: float,
    *,
    true_diff: float = 0.0,
    futility: bool = True,
) -> float:
    """Expected share of n_max that a paired check uses before it is decided.

    Args:
        plan: the looks.
        discordance: share of cases on which the models differ.
        margin: allowed drop.
        true_diff: candidate minus baseline, as it really is.
        futility: whether the check gives up when its chance to pass is below 0.2.
    """
    sd = math.sqrt(max(discordance - true_diff**2, 1e-12))
    scale = math.sqrt(plan.n_max) / sd
    hope = margin * scale if futility else None
    return plan.operating((true_diff + margin) * scale, futility=hope).expected_fraction


def _share(margin: float, span: float) -> float:
    if not 0.0 < margin < span:
        raise ValueError(f"a margin must be in (0, {span}) to be resolvable, got {margin}")
    return margin / span


def _likely(n: int, probability: float) -> Floats:
    centre, sd = n * probability, math.sqrt(n * probability * (1.0 - probability))
    low = max(0, math.floor(centre - _FAR * sd - 8))
    high = min(n, math.ceil(centre + _FAR * sd + 24))
    return np.arange(low, high + 1, dtype=np.float64)

"""Whether the previous deployment can be kept paused, as the target asks: looked at before anything depends on it."""

from __future__ import annotations

from evals.errors import GatewrightError
from flows.config.strategy import fixed_name
from flows.config.target import Target
from flows.platforms.base import Finding, PausesDeployments, Platform, TellsOfPausing

__all__ = ["PAUSING", "pausing_findings"]

PAUSING = "pausing"
"""The name of the finding."""


async def pausing_findings(target: Target, platform: Platform) -> tuple[Finding, ...]:
    """Return the line of a preflight on pausing; none where the target keeps nothing paused, or where the service does not say.

    Never a failure: what can't be paused is kept running.
    """
    if target.promotion.keep != "paused" or not target.production.sku or fixed_name(target):
        return ()
    if not isinstance(platform, PausesDeployments):
        message = f"{platform.name} pauses no deployments: the previous one is kept running"
        fix = "take 'promotion.keep: warm'"
        return (Finding(name=PAUSING, level="warn", message=message, fix=fix),)
    if not isinstance(platform, TellsOfPausing):
        return ()
    try:
        found = await platform.pausing(target.production)
    except GatewrightError:  # the preflight's other lines say why this can't be read
        return ()
    return (found,) if found is not None else ()

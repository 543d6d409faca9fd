"""A hold on the target, said before money is spent: a candidate that passes would be refused all the same."""

from __future__ import annotations

from evals.report.numbers import instant
from evals.report.sanitise import one_line
from flows.platforms.base import Finding
from flows.registry.store import Registry

__all__ = ["hold_findings"]


def hold_findings(registry: Registry, target: str) -> tuple[Finding, ...]:
    """Return a warning of the hold on a target; nothing where there is none."""
    held = registry.held(target)
    if held is None:
        return ()
    since = f"{one_line(held.actor, 80)} since {instant(held.since)}"
    return (
        Finding(
            name="hold",
            level="warn",
            message=f"the target is held by {since}: {one_line(held.why, 300)}; what passes is refused until it is released",
            fix=f"gatewright release {target} --reason '…', then promote",
        ),
    )

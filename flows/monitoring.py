"""What follows from a regression run: nothing, an alert, or a hold on automation, as the target file says."""

from __future__ import annotations

from flows.opening import open_run
from flows.settings import Settings

__all__ = ["settle"]


def settle(settings: Settings, run_id: str) -> str:
    """Close a regression run and act on its verdict. Returns the outcome.

    A FAIL puts automatic promotion on hold where the target's `regression.on_fail` asks for it, since a baseline that
    has got worse is a low bar for the next candidate.
    """
    with open_run(settings, run_id) as run:
        verdict = run.registry.verdict(run_id)
        assert verdict is not None, "a regression run is settled after it is judged"
        reason = "; ".join(verdict.reasons)[:500]
        hold = verdict.outcome == "FAIL" and "hold" in run.target.regression.get("on_fail", [])
        if hold and run.registry.held(run.target.name) is None:
            run.registry.hold(
                run.target.name,
                actor="gatewright",
                reason=f"regression run {run_id}: {reason}",
                run_id=run_id,
            )
        if verdict.outcome == "ERROR":
            run.registry.set_run_state(run_id, "failed", reason)
        elif verdict.outcome == "INCONCLUSIVE":
            run.registry.set_run_state(run_id, "inconclusive", reason)
        return verdict.outcome

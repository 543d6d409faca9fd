"""The way back of a promotion that failed after its switch: pointer first, then publishers, then its deployment."""

from __future__ import annotations

from msgspec.structs import asdict

from evals.errors import StaleGenerationError
from evals.records import LivePointer
from evals.sampling.redaction import redact_keys
from flows.orchestration.target_lease import held_here
from flows.registry.records import NewPointer
from flows.release.publish_live import publish_live
from flows.release.steps import PromotionProcess

__all__ = ["put_back", "why_put_back"]


async def put_back(process: PromotionProcess, why: str) -> list[str]:
    """Make the old model live again and tell applications; return what could not be done. Safe to do again."""
    why = redact_keys(why)
    reason = f"put back: {why}"
    with process.step("put_back", why=why) as found:
        if (stuck := await process.restore_deployment()) is not None:
            return [stuck]  # what is live and what stands stay the same thing
        # The pointer first: publishers write whatever is live, and a deployment is removed only when it is not.
        _restore(process, reason)
        published = await publish_live(process.registry, process.publishers, process.act.target)
        found |= {one.publisher: one.words for one in published}
    problems = [one.problem for one in published if one.problem]
    left = await process.remove_own_deployment()
    return [*problems, *([left] if left else [])]


def why_put_back(process: PromotionProcess) -> str | None:
    """Return why this run began to put the old model back, None when it did not."""
    marks = process.registry.steps(process.act.run_id)
    begun = (mark for mark in marks if (mark.step, mark.phase) == ("put_back", "begun"))
    first = next(begun, None)
    return None if first is None else str(first.detail["why"])


def _restore(process: PromotionProcess, reason: str) -> None:
    """Undo this run's switch, unless that is done or somebody made something else live since."""
    act, registry = process.act, process.registry
    live = registry.live(act.target)
    ours = (act.run_id, act.candidate.model_id)
    if live is None or (live.run_id, live.model_id) != ours:
        return
    before = registry.pointer_at(act.target, live.generation - 1)
    try:
        if before is None:
            registry.withdraw(
                act.target,
                expected_generation=live.generation,
                actor=act.actor,
                reason=reason,
                run_id=act.run_id,
            )
        else:
            registry.switch(
                _again(before, act.run_id),
                expected_generation=live.generation,
                actor=act.actor,
                reason=reason,
                kind="restore",
                holder=held_here(act.run_id),
            )
    except StaleGenerationError:
        return  # somebody was faster; what they made live stays


def _again(pointer: LivePointer, run_id: str) -> NewPointer:
    plain = asdict(pointer)
    kept = {key: plain[key] for key in ("target", "model_id", "platform", "endpoint", "deployment")}
    return NewPointer(**kept, run_id=run_id)

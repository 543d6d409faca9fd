"""The guarded act of making a model live: a state machine that a crash at any point resumes. No Prefect here.

    requested ─▶ deploying ─▶ ready ─▶ smoke_tested ─▶ measured ─▶ switched ─▶ published ─▶ kept ─▶ live
        │            │          │           │             │            │            │
        ▼            └──────────┴─────┬─────┴─────────────┘            └─────┬──────┘
     refused                          ▼                                      ▼
     waiting            failed, refused or waiting:                     rolled_back:
                        the old model was live all along          the old model is live again

Before the switch nothing an application reads has changed. The switch is one transaction of the registry; it demands
once more the verdict, its digests, the generation and that nobody holds the target. After it, applications are told and
what they read is read back; when that fails, pointer and publishers are put back. A run deletes only what it created.
The deployment that was live before stays, for an instant rollback; the sweep deletes it when its time is up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Literal

from evals.errors import (
    ConfigurationError,
    GatewrightError,
    LeaseLostError,
    PublishError,
    RefusedError,
    StaleGenerationError,
    WaitingError,
)
from evals.records import LivePointer, Record
from evals.sampling.redaction import redact_keys
from flows.platforms.base import Platform
from flows.platforms.model_names import same_id
from flows.publishers.base import Published, Publisher
from flows.registry.records import RunState
from flows.registry.store import Registry
from flows.release.clearance import Promotion
from flows.release.outcomes import LIVE
from flows.release.publish_live import publish_live
from flows.release.replace import InPlacePromotion
from flows.release.signing import envelope, signing_key
from flows.release.statement import statement
from flows.release.steps import (
    Keep,
    Measure,
    PromotionProcess,
    Smoke,
)
from flows.release.undo import put_back, why_put_back

__all__ = ["STALE", "PromotionOutcome", "PromotionState", "promote"]

STALE = "baseline moved"
"""The step on record when a candidate was refused for no fault of its own: something else was made live since its verdict."""

PromotionState = Literal["live", "superseded", "refused", "waiting", "rolled_back", "failed"]


class PromotionOutcome(Record, frozen=True, kw_only=True):
    """How a promotion ended. `detail` is one sentence for a person; `pointer` is what is live for the target now.

    superseded: it was live, and something else has been made live since.
    """

    run_id: str
    state: PromotionState
    detail: str
    pointer: LivePointer | None
    published: tuple[Published, ...] = ()


async def promote(
    act: Promotion,
    *,
    platform: Platform,
    registry: Registry,
    publishers: Sequence[Publisher],
    smoke: Smoke,
    measure: Measure,
    policy_digest_now: Callable[[], str] | None = None,
    changed_now: Callable[[], str] | None = None,
    keep: Keep | None = None,
) -> PromotionOutcome:
    """Make the candidate live, or leave the old model live and say why. Call it again after a crash, or an approval.

    `smoke` asks a few cases through the production connection; `measure` judges the production checks (None: there are
    none). `policy_digest_now` reads the policy file again, `changed_now` says what else changed since the verdict. `keep` keeps the candidate's answers once it was published.
    The run's state in the registry follows.
    Raises ConfigurationError when a publisher or the signing key misses something, before anything is done; RegistryError when the registry
    itself fails. Every other failure is an outcome. A cancelled promotion is left as it is, for the next call to resume.
    """
    kind = PromotionProcess if act.strategy == "blue_green" else InPlacePromotion
    process = kind(
        act=act,
        platform=platform,
        registry=registry,
        publishers=publishers,
        smoke=smoke,
        measure=measure,
        policy_digest_now=policy_digest_now,
        changed_now=changed_now,
        keep=keep,
    )
    # A run that has switched never goes through the steps before the switch again: its candidate is live, or was put back.
    if registry.pointers_of(act.run_id):
        return await _after_switch(process)
    signing_key()  # an unusable key is found before anything is done
    if problems := [problem for publisher in publishers for problem in publisher.problems()]:
        raise ConfigurationError(problems)
    try:
        await _up_to_switch(process)
    except WaitingError as error:
        problem = await process.restore_before_waiting()
        return _end(process, "waiting", str(error) if problem is None else f"{error}; {problem}")
    except LeaseLostError:
        raise  # another process goes on with this run, in whatever state it is by now
    except StaleGenerationError as error:
        registry.record_step(act.run_id, STALE, "done", {"why": str(error)}, actor=act.actor)
        return await _leave(process, "refused", str(error))
    except RefusedError as error:
        return await _leave(process, "refused", str(error))
    except GatewrightError as error:
        return await _leave(process, "failed", str(error))
    except Exception as error:
        return await _leave(process, "failed", f"{type(error).__name__}: {error}")
    return await _after_switch(process)


async def _up_to_switch(process: PromotionProcess) -> None:
    cleared = process.clear()
    detail = f"{cleared.outcome}, deploying as {process.deployment}"
    process.registry.set_run_state(process.act.run_id, "promoting", detail, actor=process.act.actor)
    connection = await process.deploy()
    await process.smoke_test(connection)
    await process.measure_production(connection, cleared)
    # Cleared once more: deploying takes minutes, in which a hold, a rejection or another promotion may have come. The
    # registry itself looks a last time inside the transaction of the switch, where nothing can come in between.
    process.switch(connection, process.clear())


async def _after_switch(process: PromotionProcess) -> PromotionOutcome:
    """Go on from the switch, in this process or a later one."""
    act, registry = process.act, process.registry
    # A process that was killed while it put the old model back must not publish the new one after all.
    if (begun := why_put_back(process)) is not None:
        return await _undo(process, begun)
    published: tuple[Published, ...] = ()
    try:
        with process.step("published") as found:
            published = await publish_live(registry, process.publishers, act.target)
            found |= {one.publisher: one.words for one in published}
            if failed := [one.problem for one in published if one.problem]:
                raise PublishError("; ".join(failed))
    except Exception as error:
        return await _undo(process, str(error))
    unkept = process.keep_answers()
    live = registry.live(act.target)
    if live is None or live.run_id != act.run_id:
        named = live.model_id if live is not None else "nothing"
        return _end(process, "superseded", f"{named} was made live since", published)
    with process.step(LIVE) as found:
        note = f"{process.outcome_note()}{_prove(process, live)}{unkept}"
        found |= {"note": note} if note else {}
    # As it is told later on: what is live by then is not this run's to say.
    detail = f"went live as generation {live.generation}{note}"
    return _end(process, "live", detail, published)


def _prove(process: PromotionProcess, live: LivePointer) -> str:
    """Write the statement of this promotion, once. What is live stays live when that fails; return how to say so."""
    registry, run_id = process.registry, process.act.run_id
    try:
        if registry.statement(run_id) is None:
            signed = statement(registry, live)
            registry.save_statement(
                run_id, envelope(signed, signing_key()), actor=process.act.actor
            )
    except ConfigurationError as error:  # the key was taken away since the promotion began
        return f", and no statement could be signed: {error}"
    return ""


async def _undo(process: PromotionProcess, why: str) -> PromotionOutcome:
    """Put the old model back and say what happened."""
    problems = await put_back(process, why)
    detail = "; ".join([f"put back: {redact_keys(why)}", *problems])
    live = process.registry.live(process.act.target)
    left = live is not None and same_id(live.model_id, process.act.candidate.model_id)
    return _end(process, "failed" if left else "rolled_back", detail)


async def _leave(process: PromotionProcess, state: PromotionState, why: str) -> PromotionOutcome:
    """Leave the old model live. The state goes first: it bars a second process of this run from switching."""
    detail = redact_keys(why)
    with contextlib.suppress(RefusedError):  # that second process has promoted
        _end(process, state, detail)
    if process.registry.pointers_of(process.act.run_id):
        return await _after_switch(process)
    problem = await process.remove_own_deployment()
    return _end(process, state, detail if problem is None else f"{detail}; {problem}")


_RUN_STATES: dict[PromotionState, RunState] = {
    "live": "promoted",
    "superseded": "promoted",
    "refused": "refused",
    "waiting": "waiting",
    "rolled_back": "failed",
    "failed": "failed",
}


def _end(
    process: PromotionProcess,
    state: PromotionState,
    detail: str,
    published: tuple[Published, ...] = (),
) -> PromotionOutcome:
    act, registry = process.act, process.registry
    run = registry.run(act.run_id)
    ours = run is not None and (run.kind, run.target) == ("promotion", act.target)
    if run is not None and ours and run.state != "superseded":
        registry.set_run_state(act.run_id, _RUN_STATES[state], detail, actor=act.actor)
    return PromotionOutcome(
        run_id=act.run_id,
        state=state,
        detail=detail,
        pointer=registry.live(act.target),
        published=published,
    )

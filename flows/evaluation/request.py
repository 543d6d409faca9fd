"""The first steps of a run: it is put on record under an id that follows from its trigger, and its candidate is named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from evals.errors import RefusedError
from evals.records import Candidate, encode
from flows.evaluation.kept.frozen_baseline import baseline_of
from flows.evaluation.kept.frozen_choice import against_mark
from flows.evaluation.kept.recorded_baseline import pin_own_answers
from flows.evaluation.open_run import OpenRun, load_plan, open_run
from flows.evaluation.progress import waits_shown
from flows.evaluation.tries.old_looks import note_old_looks
from flows.platforms.base import TriggerRef
from flows.platforms.model_names import is_fine_tuned, same_id
from flows.registry.opening import open_registry
from flows.registry.records import RunKind, RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = [
    "earlier_try",
    "is_rejudgement",
    "names_candidate",
    "note_weights",
    "request_run",
    "resolve",
    "run_id_of",
    "trigger_of",
]

_MARKS = ("again", "against", "early_stop", "fresh", "rejudges", "selection")
_REJUDGED_BEFORE = "judges again "
"""How `again` began in registries of before, where it held what is `rejudges` now."""


def request_run(
    settings: Settings,
    target: str,
    ref: TriggerRef,
    *,
    kind: RunKind,
    actor: str,
    again: str = "",
    rejudges: str = "",
    early_stop: bool = True,
    fresh: bool = False,
    selection: str = "",
    against: str = "",
) -> tuple[RunRecord, bool]:
    """Record a run, or find the one that the same trigger already started (then the second value is False).

    `again` makes a trigger another one on purpose: any text, such as the time of day. `rejudges` does too: the id of a
    run of this candidate that was refused only because something else was made live since its verdict. Without `early_stop` the run
    asks every case, whatever its gate says of looking early. When `fresh` it takes no answer from an earlier run.
    `selection` is the id of the selection that chose this candidate. `against` is "frozen", or "frozen:ID" for a certain
    frozen baseline, where the candidate is held against its answers and the live model is not asked.

    Raises:
        ConfigurationError: the target, its gate or its suites have problems, or nothing such is frozen; nothing is recorded
            then.
        RefusedError, KeptAnswersError: see `flows.evaluation.kept.frozen_choice.against_mark`.
    """
    plan = load_plan(settings, target)
    more = {"again": again, "rejudges": rejudges, "selection": selection}
    with open_registry(settings) as registry:
        if against:
            more["against"] = against_mark(settings, registry, plan, against, kind)
        trigger = trigger_of(ref, early_stop=early_stop, fresh=fresh, **more)
        if rejudges and (known := _requested_before(registry, target, kind, trigger)) is not None:
            return known, False
        return registry.start_run(
            RunRecord(
                run_id=run_id_of(target, kind, trigger),
                target=target,
                kind=kind,
                requested_by=actor,
                trigger=trigger,
                policy=plan.policy.name,
                policy_digest=plan.policy.digest,
                fingerprints=plan.fingerprints,
            )
        )


def trigger_of(
    ref: TriggerRef, *, early_stop: bool = True, fresh: bool = False, **marks: str
) -> dict[str, str]:
    """Return what is kept of a trigger: how the candidate is named, and what makes it another trigger than that alone."""
    switched = {"early_stop": "" if early_stop else "off", "fresh": "yes" if fresh else ""}
    return {key: value for key, value in {**_plain(ref), **marks, **switched}.items() if value}


def names_candidate(run: RunRecord, ref: TriggerRef) -> bool:
    """Say whether a run's trigger names its candidate like this, whatever else it says."""
    return {k: v for k, v in run.trigger.items() if k not in _MARKS} == trigger_of(ref)


def run_id_of(target: str, kind: RunKind, trigger: Mapping[str, Any]) -> str:
    """The id of the run that a trigger starts: derived from it, so that the same trigger finds the same run."""
    identity = encode({"target": target, "kind": kind, "trigger": dict(trigger)})
    return f"{target}-{hashlib.sha256(identity).hexdigest()[:10]}"


def is_rejudgement(run: RunRecord) -> bool:
    """Say whether a run judges a candidate once more because its baseline moved."""
    again = str(run.trigger.get("again", ""))
    return "rejudges" in run.trigger or again.startswith(_REJUDGED_BEFORE)


def _requested_before(
    registry: Registry, target: str, kind: RunKind, trigger: dict[str, str]
) -> RunRecord | None:
    """The same rejudgement as it was recorded before `rejudges`: a candidate is not judged again twice."""
    old = {key: value for key, value in trigger.items() if key != "rejudges"}
    old["again"] = _REJUDGED_BEFORE + trigger["rejudges"]
    return registry.run(run_id_of(target, kind, old))


async def resolve(settings: Settings, run_id: str) -> str:
    """Name the candidate behind the trigger and pin the baseline. Returns the candidate's model id.

    Raises:
        RefusedError: the job is not finished, or the model is not known.
    """
    with open_run(settings, run_id) as run, waits_shown(run.folder):
        if run.record.candidate is not None:
            return run.record.candidate_model
        ref = TriggerRef(
            **{key: value for key, value in run.record.trigger.items() if key not in _MARKS}
        )
        try:
            candidate = await run.platform.resolve(ref, target=run.target.name)
            note_old_looks(run)
            _require_untried(run, candidate)
            baseline = await _pinned_baseline(run, candidate)
        finally:
            await run.platform.aclose()
        run.registry.note_run(
            run_id,
            actor="gatewright",
            candidate=candidate,
            candidate_model=candidate.model_id,
            baseline_model=baseline,
            baseline_generation=run.registry.generation(run.target.name),
            selection=_selection_of(run, candidate.model_id),
        )
        return candidate.model_id


async def _pinned_baseline(run: OpenRun, candidate: Candidate) -> str | None:
    """The model that a run's candidate is compared with; a regression run holds the live model against its own answers."""
    if run.record.kind == "regression":
        pin_own_answers(run, candidate.model_id)
        return None
    return await baseline_of(run, run.registry.live(run.target.name))


def _selection_of(run: OpenRun, model: str) -> str:
    """The selection that chose this model, or the last one that it took part in; "" for none.

    Whoever asks for the run: a model that was once held against others is not judged on the cases that compared them.
    """
    if "selection" in run.record.trigger:
        return str(run.record.trigger["selection"])
    fields = run.registry.fields(run.record.target)
    return next(
        (
            selection
            for selection, plan in reversed(fields.items())
            if any(same_id(model, one.model_id) for one in plan.candidates)
        ),
        "",
    )


def note_weights(run: OpenRun, *names: str) -> None:
    """Put on record what the weights of a checkpoint turn out to be called once it stands: no job need have told.

    Raises RefusedError when the model of that name may not be live, or had its try.
    """
    candidate = run.record.candidate
    if candidate is None or not candidate.checkpoint or candidate.weights_of:
        return
    own = candidate.model_id
    name = next((one for one in names if is_fine_tuned(one) and not same_id(one, own)), None)
    if name is None or run.registry.verdict(run.record.run_id) is not None:
        return
    known = msgspec.structs.replace(candidate, weights_of=name)
    _require_untried(run, known)
    barred = run.registry.barred(run.record.target, name)
    if barred is not None and _is_first_promotion(run):
        raise RefusedError(
            f"{own} is {name}, which may not be live: {barred}; --again gives it another run"
        )
    run.registry.note_run(run.record.run_id, actor="gatewright", candidate=known)


def _is_first_promotion(run: OpenRun) -> bool:
    return run.record.kind == "promotion" and not {"again", "rejudges"} & set(run.record.trigger)


def _require_untried(run: OpenRun, candidate: Candidate) -> None:
    """A model has one try, whatever it is named by: trying until the dice fall right would void the error rates."""
    if not _is_first_promotion(run):
        return
    earlier = earlier_try(run.registry, run.record, candidate)
    if earlier is not None:
        raise RefusedError(
            f"{candidate.model_id} was tried already: run {earlier.run_id} is {earlier.state}; --again gives it another run"
        )


def earlier_try(registry: Registry, run: RunRecord, candidate: Candidate) -> RunRecord | None:
    """Return another promotion of this model for the run's target that showed something or ended, None without any."""
    names = [name for name in (candidate.model_id, candidate.weights_of) if name]
    for one in (each for name in names for each in registry.tries_of(run.target, name)):
        before = one.runs[-1].run
        if before.run_id != run.run_id:
            return before
    for earlier in registry.runs(run.target, 1000):
        same = any(same_id(earlier.candidate_model, name) for name in names)
        if (
            same
            and earlier.kind == "promotion"
            and earlier.run_id != run.run_id
            and earlier.settled
        ):
            return earlier
    return None


def _plain(ref: TriggerRef) -> dict[str, str | None]:
    return {
        "job_id": ref.job_id,
        "model_id": ref.model_id,
        "checkpoint": ref.checkpoint,
        "base_model": ref.base_model,
    }

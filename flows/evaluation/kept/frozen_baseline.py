"""A frozen baseline in place of a live model that is asked: because a person said so, or because it answers no more.

It is chosen when the run's candidate is named, and stays for that run. What was frozen is compared with what would be asked of the
live model today; through which of a service's two APIs makes no difference, since the live model is not asked.
"""

from __future__ import annotations

from evals.errors import ConfigurationError, Problem
from evals.evaluation.kept_answers import KeptAnswers, KeptAnswersError
from evals.evaluation.kept_results import (
    all_repeats,
    cut_labels,
    grade_kept,
    kept_results,
)
from evals.records import LivePointer
from evals.report.numbers import counted
from flows.evaluation.kept.earlier_models import EarlierModel, laid_out
from flows.evaluation.kept.frozen import open_frozen
from flows.evaluation.kept.frozen_choice import marked
from flows.evaluation.kept.frozen_coverage import as_frozen, coverage
from flows.evaluation.kept.keep import asked_today
from flows.evaluation.kept.recorded import RecordedBaseline, keep_recorded, recorded_in
from flows.evaluation.open_run import OpenRun
from flows.platforms.asking.gone import why_gone
from flows.platforms.model_names import same_id
from flows.registry.frozen import FrozenBaseline, FrozenOnRecord, all_of_model
from flows.registry.kept_answers import KeptReference

__all__ = [
    "asked_for",
    "baseline_of",
    "frozen_model",
    "frozen_reference",
    "grade_frozen",
]

_NOT_JUDGED = "Latency is shown and decides nothing."


async def baseline_of(run: OpenRun, live: LivePointer | None) -> str | None:
    """Choose what a run's candidate is compared with; return that model's id, None when there is nothing.

    That is what is live, or its frozen answers. Raises KeptAnswersError when they are missing or were altered.
    """
    chosen = recorded_in(run.folder)
    if chosen is None:
        chosen = await _chosen(run, live)
        if chosen is not None:
            keep_recorded(run.folder, chosen)
    if chosen is not None and chosen.source == "frozen" and chosen.reference is not None:
        return chosen.reference.model_id
    return live.model_id if live is not None else None


def frozen_reference(baseline: FrozenBaseline) -> KeptReference:
    """Return what points to the answers of a frozen baseline; its run is the freeze."""
    return KeptReference(
        target=baseline.target,
        generation=baseline.generation,
        model_id=baseline.model_id,
        run_id=baseline.mark,
        digest=baseline.kept,
        since=baseline.frozen_at,
    )


async def grade_frozen(run: OpenRun, reference: KeptReference) -> None:
    """Have today's graders score all that was frozen, as far as they have not.

    Raises:
        ConfigurationError: it is not on record.
        KeptAnswersError: its files are missing or were altered.
    """
    kept = _opened(run, reference)
    await grade_kept(kept, [all_repeats(kept, one) for one in asked_today(run, "baseline")])


def frozen_model(run: OpenRun, reference: KeptReference) -> EarlierModel:
    """Return frozen answers on the rows of today's suites, or why they can't be compared. Raises as `grade_frozen`.

    A score is the mean over all repeats that were frozen, however often the candidate is asked: that is the better
    measure of the model, and each case is a pair all the same. Labels are those of as many repeats as the candidate has.
    """
    kept = _opened(run, reference)
    asked = []
    for one in asked_today(run, "baseline"):
        then = kept.record.suite(one.opened.suite.name)
        asked.append(as_frozen(one, then.asked_with.get("api") if then is not None else None))
    found = laid_out(kept, reference, asked)
    if found.results is None:
        return found
    whole = kept_results(kept, [all_repeats(kept, one) for one in asked])
    cut = {
        one.opened.suite.name: cut_labels(whole[one.opened.suite.name], one.repeats)
        for one in asked
    }
    return EarlierModel(reference, cut)


def asked_for(run: OpenRun, mark: str) -> RecordedBaseline:
    """Return the frozen baseline with this mark, as what a person asked for. Raises as `grade_frozen`."""
    return _pinned(run, _required(run, mark), "as was asked for.")


def _opened(run: OpenRun, reference: KeptReference) -> KeptAnswers:
    return open_frozen(run.settings, _required(run, reference.run_id))


def _required(run: OpenRun, mark: str) -> FrozenBaseline:
    found = marked(run.registry, run.target.name, mark)
    if found is None:
        message = f"{mark} is not on record for {run.target.name}"
        raise ConfigurationError(Problem(where=run.record.run_id, message=message))
    return found


async def _chosen(run: OpenRun, live: LivePointer | None) -> RecordedBaseline | None:
    named = str(run.record.trigger.get("against", ""))
    if named:
        return asked_for(run, named)
    if live is None:
        return None
    frozen = all_of_model(run.registry.frozen(run.target.name), live.model_id)
    why = await _gone(run, live) if frozen else ""
    if not why:
        return None
    best = coverage(run.settings, frozen, asked_today(run, "baseline"))[0]
    gone = f"because the live model answers no more: {why}. There is no going back to it."
    return _pinned(run, best.found.baseline, gone)


async def _gone(run: OpenRun, live: LivePointer) -> str:
    if live.platform != run.target.platform:
        return f"it answered on {live.platform}, and the target is on {run.target.platform} now"
    deployment = live.deployment or live.model_id
    connection = run.platform.connect(deployment, live.model_id, "production")
    return await why_gone(run.platform, connection, deployment)


def _others(run: OpenRun, taken: FrozenBaseline) -> str:
    """What else is frozen of the same model and was not taken; "" where nothing is."""
    same = [
        one
        for one in run.registry.frozen(run.target.name)
        if same_id(one.baseline.model_id, taken.model_id)
    ]
    if len(same) < 2:  # its files would be checked once more for nothing
        return ""
    words = {one.baseline.frozen_id: _words(run, one) for one in same}
    mine = words.pop(taken.frozen_id)
    return (
        f" Of several that are frozen, {mine} was taken; passed over: {', '.join(words.values())}."
    )


def _words(run: OpenRun, one: FrozenOnRecord) -> str:
    named = one.baseline.mark
    if one.set_aside:
        return f"{named} (set aside {one.set_aside})"
    try:
        return coverage(run.settings, [one], asked_today(run, "baseline"))[0].words
    except KeptAnswersError:
        return f"{named} (its files are missing or were altered)"


def _pinned(run: OpenRun, baseline: FrozenBaseline, why: str) -> RecordedBaseline:
    open_frozen(run.settings, baseline)
    note = (
        f"The candidate is compared with the frozen answers of {baseline.model_id} ({baseline.mark}, asked {baseline.frozen_at[:10]},"
        f" {counted(baseline.repeats, 'time')} a case), {why} {_NOT_JUDGED}{_others(run, baseline)}"
    )
    if baseline.unverified:
        note += f" Whether it was this model that answered then could not be seen: {baseline.unverified}."
    return RecordedBaseline(source="frozen", reference=frozen_reference(baseline), note=note)

"""What the pages show, read from the registry: targets with what is live and who decided it, their changes, and runs."""

from __future__ import annotations

from dataclasses import dataclass

from evals.records import CheckResult, LivePointer, Verdict
from flows.config.target import target_names
from flows.platforms.model_names import short_name
from flows.recovery.earlier_models import RollbackCommand, rollback_command
from flows.registry.decisions import Decided, decided_by
from flows.registry.provenance import failed_checks, origin, overrides_behind, revocation_of
from flows.registry.records import Answer, Event, Hold, RunRecord
from flows.registry.store import Registry
from flows.release.outcomes import as_told
from flows.service.pages.labels import Mark, Moment, mark_of_state, mark_of_verdict, moment
from flows.settings import Settings

__all__ = [
    "Change",
    "LiveView",
    "Overview",
    "RunRow",
    "Statement",
    "TargetPage",
    "overview",
    "run_row",
    "target_page",
]

_CHANGES = {
    "promotion": ("went live", "pass"),
    "first_release": ("went live, the first", "pass"),
    "rollback": ("was brought back", "undecided"),
    "restore": ("was put back", "undecided"),
    "adopt": ("was adopted", "plain"),
    "withdrawal": ("was withdrawn", "undecided"),
    "approve": ("approved", "pass"),
    "reject": ("rejected", "fail"),
    "override": ("overridden", "undecided"),
    "hold": ("hold", "undecided"),
    "release": ("hold released", "plain"),
    "model_refused": ("refused", "fail"),
    "model_revoked": ("revoked", "fail"),
    "model_reinstated": ("reinstated", "plain"),
    "drift_found": ("stands otherwise", "fail"),
    "drift_over": ("stands as recorded", "pass"),
    "canary_chosen": ("canary chose its cases", "plain"),
    "canary_changed": ("canary found a change", "fail"),
    "canary_over": ("canary is steady", "pass"),
    "put_back": ("was put back as recorded", "pass"),
    "warned": ("warned of", "undecided"),
    "edited": ("gate, suite or target edited", "undecided"),
    "frozen": ("frozen", "pass"),
    "frozen_set_aside": ("frozen answers set aside", "undecided"),
    "frozen_restored": ("frozen answers restored", "plain"),
    "run_retried": ("retried", "plain"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in a list."""

    run_id: str
    target: str
    kind: str
    state: Mark
    verdict: Mark | None
    candidate: str
    detail: str
    updated: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What somebody said, and when."""

    actor: str
    reason: str
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """What is live for a target, since when, who decided it, and all that speaks against it.

    `hold` when automation may not change it; `overrides` by whom, against `failed`, the checks that did not pass; `revoked`
    when its evidence no longer counts, `back` the way back from it; `drift` when something else stands than is recorded.
    """

    target: str
    name: str
    pointer: LivePointer | None
    since: Moment | None
    word: Decided | None
    evidence: str | None
    hold: Statement | None
    overrides: tuple[Statement, ...]
    failed: tuple[CheckResult, ...]
    revoked: Statement | None
    back: RollbackCommand | None
    drift: Statement | None
    waiting: tuple[RunRow, ...]
    latest: RunRow | None

    @property
    def needs_attention(self) -> bool:
        """Whether a person has something to decide or to put right here."""
        return bool(self.drift or self.revoked or self.overrides or self.hold or self.waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a target's history."""

    at: Moment
    word: str
    tone: str
    actor: str
    model: str
    model_id: str
    reason: str
    run_id: str | None
    generation: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The first page; targets with nothing live come last."""

    targets: tuple[LiveView, ...]
    runs: tuple[RunRow, ...]

    @property
    def live(self) -> int:
        """How many targets have something live."""
        return sum(target.pointer is not None for target in self.targets)

    @property
    def attention(self) -> tuple[str, ...]:
        """The targets that need attention."""
        return tuple(target.target for target in self.targets if target.needs_attention)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPage:
    """The page of one target."""

    live: LiveView
    changes: tuple[Change, ...]
    runs: tuple[RunRow, ...]


def overview(settings: Settings, registry: Registry) -> Overview:
    """Read the first page."""
    names = sorted({*registry.targets(), *target_names(settings.targets)})
    targets = (_live(registry, name) for name in names)
    return Overview(
        targets=tuple(sorted(targets, key=lambda target: target.pointer is None)),
        runs=tuple(run_row(registry, run) for run in registry.runs(limit=15)),
    )


def target_page(settings: Settings, registry: Registry, target: str) -> TargetPage | None:
    """Read a target's page; None when there is no such target."""
    if target not in {*registry.targets(), *target_names(settings.targets)}:
        return None
    now = registry.now()
    return TargetPage(
        live=_live(registry, target),
        changes=tuple(_change(registry, event, now) for event in registry.history(target, 100)),
        runs=tuple(run_row(registry, run) for run in registry.runs(target, 30)),
    )


def run_row(registry: Registry, run: RunRecord) -> RunRow:
    """Return a run as lists show it."""
    verdict = _worst(registry.verdict(run.run_id), registry.verdict(run.run_id, "production"))
    return RunRow(
        run_id=run.run_id,
        target=run.target,
        kind=run.kind,
        state=mark_of_state(run.state),
        verdict=mark_of_verdict(verdict.outcome) if verdict is not None else None,
        candidate=short_name(run.candidate_model) if run.candidate_model else "",
        detail=as_told(registry, run).detail,
        updated=moment(run.updated_at, registry.now()),
    )


def _worst(first: Verdict | None, second: Verdict | None) -> Verdict | None:
    """The verdict that decides: that of the production checks where the first one passed."""
    if first is not None and first.outcome == "PASS" and second is not None:
        return second
    return first


def _live(registry: Registry, target: str) -> LiveView:
    pointer, now = registry.live(target), registry.now()
    runs, hold = registry.runs(target, 50), registry.held(target)
    back = rollback_command(registry, target)
    revoked = revocation_of(registry, pointer) if pointer is not None else None
    overrides = overrides_behind(registry, pointer) if pointer is not None else ()
    return LiveView(
        target=target,
        name=short_name(pointer.model_id) if pointer is not None else "",
        pointer=pointer,
        since=moment(pointer.since, now) if pointer is not None else None,
        word=_word(registry, pointer),
        evidence=_evidence(registry, pointer),
        hold=_said(hold, hold.since, now) if hold is not None else None,
        overrides=tuple(_said(answer, answer.at, now) for answer in overrides),
        failed=failed_checks(registry, pointer) if pointer is not None else (),
        revoked=_said(revoked, revoked.at, now) if revoked is not None else None,
        back=back,
        drift=_said(drift, drift.at, now) if (drift := registry.drifted(target)) else None,
        waiting=tuple(run_row(registry, run) for run in runs if run.state == "waiting"),
        latest=run_row(registry, runs[0]) if runs else None,
    )


def _said(word: Hold | Answer | Event, at: str, now: str) -> Statement:
    return Statement(actor=word.actor, reason=word.reason, at=moment(at, now))


def _word(registry: Registry, pointer: LivePointer | None) -> Decided | None:
    """On whose word it is live; None where nothing is, or no event says it."""
    event = registry.event_of(pointer.target, pointer.generation) if pointer is not None else None
    return decided_by(registry, event) if event is not None else None


def _evidence(registry: Registry, pointer: LivePointer | None) -> str | None:
    """The run that what is live stands on, where there is a page of it."""
    run_id = origin(registry, pointer).run_id if pointer is not None else None
    return run_id if run_id and registry.run(run_id) is not None else None


def _change(registry: Registry, event: Event, now: str) -> Change:
    word, tone = _CHANGES.get(event.kind, (event.kind, "plain"))
    return Change(
        at=moment(event.at, now),
        word=word,
        tone=tone,
        actor=decided_by(registry, event).named,
        model=short_name(event.model_id) if event.model_id else "",
        model_id=event.model_id or "",
        reason=event.reason,
        run_id=event.run_id,
        generation=event.generation,
    )

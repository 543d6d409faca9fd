"""The ledger of tries: which runs have shown something of a candidate, in the order in which they began to.

Nothing of it is kept in a table: it is read from the chain of events, so that no try is lost by editing a row or by
pruning a folder. A run counts from its first look on, also when it was killed afterwards; one that judges once, from its verdict.
Runs that were refused or broke off before either don't count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from evals.records import EarlierTry, Record, TryCount, VerdictOutcome, decode
from flows.platforms.model_names import folded_id
from flows.registry import judged_by, selections, verdicts
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events, runs
from flows.registry.records import AUTOMATION, RunRecord
from flows.registry.runs import require

__all__ = [
    "WINDOW_S",
    "JudgedRun",
    "NotedLook",
    "Try",
    "candidates_tried",
    "count_tries",
    "first_look",
    "judged_runs",
    "noted_look",
    "tries_of",
]

WINDOW_S = 90 * 86400
"""Over how long a target's candidates are added up where its gate names no window, in seconds."""

_FIRST_LOOK = "first_look"


class JudgedRun(Record, frozen=True, kw_only=True):
    """A run that has shown something of its candidate: since when, by which event, and what it came to.

    `outcome` is that of its developer slot, or of its production slot where that is no PASS; None while there is no
    verdict. `rejected`: a person said no.
    """

    run: RunRecord
    seq: int
    at: str
    outcome: VerdictOutcome | None
    rejected: bool = False

    @property
    def passed_unused(self) -> bool:
        """True when it passed and its candidate did not go live for it: a hold, a moved baseline or a publisher was in the way."""
        return self.outcome == "PASS" and not self.rejected and self.run.state != "promoted"


class Try(Record, frozen=True, kw_only=True):
    """One try of a candidate: a run, and the runs that judged it once more after a PASS for which nothing went live."""

    number: int
    runs: tuple[JudgedRun, ...]


class NotedLook(Record, frozen=True, kw_only=True):
    """The first look of a run as it is on record; `evidence_digest` is None in records of before it was noted."""

    look: int
    evidence_digest: str | None


def first_look(writer: Writer, run_id: str, look: int, evidence_digest: str | None = None) -> None:
    """Put on record that a run is about to look at its candidate's answers, and at which; once for each run."""
    run = require(writer.connection, run_id)
    if noted_look(writer.connection, run_id) is None:
        writer.append(
            _FIRST_LOOK,
            actor=AUTOMATION,
            target=run.target,
            run_id=run_id,
            model_id=run.candidate_model or None,
            evidence_digest=evidence_digest,
            data={"look": look},
        )


def noted_look(connection: Connection, run_id: str) -> NotedLook | None:
    """Return the first look of a run, None before it."""
    query = select(events.c.data, events.c.evidence_digest).where(
        events.c.run_id == run_id, events.c.kind == _FIRST_LOOK
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    look = decode(row.data)["look"]
    return NotedLook(look=look, evidence_digest=row.evidence_digest)


def judged_runs(connection: Connection, target: str) -> tuple[JudgedRun, ...]:
    """Return a target's promotions and evaluations that have shown something, in the order in which they did."""
    return tuple(_judged(connection, target))


def tries_of(connection: Connection, target: str, candidate_model: str) -> tuple[Try, ...]:
    """Return the tries of a candidate on a target, oldest first, whatever suite or gate they were judged by."""
    found = _Candidates(judged_runs(connection, target))
    return _grouped(
        [
            one
            for one in found.runs
            if one.run.kind == "promotion" and found.name(one.run) == found.known(candidate_model)
        ]
    )


def candidates_tried(connection: Connection, target: str, *, window_s: int, now: str) -> int:
    """Return how many candidates of a target showed something within the `window_s` seconds before `now`."""
    found, since = _Candidates(judged_runs(connection, target)), _earlier(now, window_s)
    return len({found.name(one.run) for one in found.runs if one.at >= since})


def count_tries(
    connection: Connection,
    run_id: str,
    *,
    confidence: float,
    window_s: int = WINDOW_S,
    allowed: int | None = None,
    together: float | None = None,
) -> TryCount:
    """Return which try a run is and what came before it. One that is not judged yet counts as the newest.

    Args:
        connection: a transaction.
        run_id: a promotion or an evaluation whose candidate is known.
        confidence: what each first try is judged at.
        window_s: over how long the target's candidates are added up, in seconds.
        allowed: how many of them the gate's family lets pass by themselves.
        together: the confidence that the family asks of all of them; what they add up to is told only with it.
    """
    run = require(connection, run_id)
    known = judged_runs(connection, run.target)
    this = next((one for one in known if one.run.run_id == run_id), None) or _newest(
        connection, run
    )
    before = [one for one in known if one.seq < this.seq]
    found = _Candidates([*before, this])
    mine = [one for one in before if found.name(one.run) == found.name(run)]
    tries = _grouped([one for one in (*mine, this) if one.run.kind == "promotion"])
    number = {one.run.run_id: each.number for each in tries for one in each.runs}
    own = number.get(run_id, 0)
    since = _earlier(this.at, window_s)
    chances: dict[str, float] = {}
    for one in found.runs:
        if one.at >= since:
            at = confidence if one is this else _confidence(connection, one, together, allowed)
            name = found.name(one.run)
            chances[name] = max(chances.get(name, 0.0), 1.0 - at)
    return TryCount(
        number=own,
        candidates=len(chances),
        window_s=window_s,
        confidence=confidence,
        allowed=allowed,
        together=together,
        spent=math.fsum(chances.values()) if together is not None else None,
        earlier=tuple(
            _earlier_try(one, number.get(one.run.run_id, 0))
            for one in mine
            if not own or number.get(one.run.run_id, 0) != own
        ),
        runner_up=selections.runner_up(connection, run),
    )


def _confidence(
    connection: Connection, one: JudgedRun, together: float | None, allowed: int | None
) -> float:
    """What a run was judged at: as it was kept, as its verdict says, or as one of this family; 1 without a family."""
    if together is None:
        return 1.0
    kept = judged_by.of_run(connection, one.run.run_id)
    if kept is not None and kept.confidence is not None:
        return kept.confidence
    verdict = verdicts.verdict(connection, one.run.run_id)
    if verdict is not None and verdict.tries is not None:
        return verdict.tries.confidence
    return 1.0 - (1.0 - together) / (allowed or 1)


class _Candidates:
    """Tells candidates apart: a model id, and a job with its checkpoint, name one and the same."""

    def __init__(self, found: Sequence[JudgedRun]) -> None:
        self.runs = found
        self._of_job: dict[tuple[str, str | None], str] = {}
        self._names: dict[str, str] = {}
        for one in found:
            job = _job(one.run)
            own = folded_id(one.run.candidate_model)
            name = self._names.get(own, own)
            # The last checkpoint of a job is the job's model under another id.
            weights = one.run.candidate.weights_of if one.run.candidate else None
            if weights:
                name = self._names.setdefault(folded_id(weights), name)
            if job is not None:
                name = self._of_job.setdefault(job, name)
            self._names.setdefault(own, name)

    def known(self, model_id: str) -> str:
        return self._names.get(folded_id(model_id), folded_id(model_id))

    def name(self, run: RunRecord) -> str:
        return self.known(run.candidate_model)


def _job(run: RunRecord) -> tuple[str, str | None] | None:
    candidate = run.candidate
    return (candidate.job_id, candidate.checkpoint) if candidate and candidate.job_id else None


def _judged(connection: Connection, target: str) -> Iterator[JudgedRun]:
    query = (
        select(events.c.seq, events.c.at, events.c.kind, events.c.run_id, events.c.data)
        .where(events.c.target == target, events.c.kind.in_((_FIRST_LOOK, "verdict", "reject")))
        .order_by(events.c.seq)
    )
    began: dict[str, tuple[int, str]] = {}
    outcomes: dict[str, Any] = {}
    rejected: set[str] = set()
    for row in connection.execute(query):
        if row.kind == "reject":
            rejected.add(row.run_id)
            continue
        facts = decode(row.data)
        if row.kind == _FIRST_LOOK or facts["slot"] == "developer":
            began.setdefault(row.run_id, (row.seq, row.at))
        # A production slot is measured only after the developer's was accepted: what it adds is a reason against.
        if row.kind == "verdict" and (facts["slot"] == "developer" or facts["outcome"] != "PASS"):
            outcomes[row.run_id] = facts["outcome"]
    texts = connection.execute(select(runs.c.record).where(runs.c.target == target)).scalars()
    known = {run.run_id: run for run in (decode(text, RunRecord) for text in texts)}
    for run_id, (seq, at) in began.items():
        run, outcome = known.get(run_id), outcomes.get(run_id)
        if run is None or run.kind == "regression":
            continue
        if outcome in ("ERROR", "INCONCLUSIVE") and not _showed_something(connection, run_id):
            continue
        yield JudgedRun(run=run, seq=seq, at=at, outcome=outcome, rejected=run_id in rejected)


def _showed_something(connection: Connection, run_id: str) -> bool:
    """A run to which the candidate answered nothing, since its platform was away, tells nothing of it."""
    found = [one for one in verdicts.results(connection, run_id) if one.role == "candidate"]
    if found:
        return any(one.answered for one in found)
    verdict = verdicts.verdict(connection, run_id)
    return verdict is None or verdict.outcome != "ERROR" or any(one.n for one in verdict.checks)


def _newest(connection: Connection, run: RunRecord) -> JudgedRun:
    last = connection.execute(
        select(events.c.seq, events.c.at).order_by(events.c.seq.desc())
    ).first()
    seq, at = (last.seq + 1, last.at) if last is not None else (1, run.created_at)
    return JudgedRun(run=run, seq=seq, at=at, outcome=None)


def _grouped(found: Sequence[JudgedRun]) -> tuple[Try, ...]:
    groups: list[list[JudgedRun]] = []
    for one in found:
        # All verdicts of a group but the last are a PASS that was not used, so that together they let a bad model live no
        # more often than one of them. After anything but a PASS, being judged once more is a second chance.
        if groups and groups[-1][-1].passed_unused:
            groups[-1].append(one)
        else:
            groups.append([one])
    return tuple(
        Try(number=number, runs=tuple(group)) for number, group in enumerate(groups, start=1)
    )


def _earlier_try(one: JudgedRun, number: int) -> EarlierTry:
    return EarlierTry(
        run_id=one.run.run_id,
        at=one.at,
        requested_by=one.run.requested_by,
        try_number=number,
        outcome=one.outcome,
    )


def _earlier(at: str, seconds: int) -> str:
    earlier = datetime.fromisoformat(at) - timedelta(seconds=seconds)
    return earlier.isoformat(timespec="microseconds").replace("+00:00", "Z")

"""What a report is made from: plain records of what happened in one run, with no wording and no rounding in them."""

from __future__ import annotations

from typing import Literal

import msgspec

from evals.records import (
    Candidate,
    Edit,
    LivePointer,
    NextStep,
    Record,
    Role,
    SuiteResult,
    Verdict,
)
from evals.selection.records import SelectionFacts

__all__ = [
    "Confusion",
    "Consent",
    "DeclineRow",
    "Example",
    "JudgeFacts",
    "PairedRow",
    "PromotionStep",
    "RegressionFacts",
    "RunFacts",
    "SliceRow",
    "SuiteTrace",
]

ExampleKind = Literal["regression", "improvement", "both_wrong", "error"]
RunState = Literal[
    "promoted",
    "refused",
    "waiting",
    "passed",
    "inconclusive",
    "superseded",
    "failed",
    "rolled_back",
    "error",
]


class Example(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One case with both models' answers. Scores are in [0, 1]; None means not asked, not answered or unscored.

    `grader` names the grader whose scores these are; the reasons are its own words.
    """

    case_id: str
    suite: str
    kind: ExampleKind
    prompt: str
    expected: str | None = None
    candidate_text: str | None = None
    baseline_text: str | None = None
    candidate_score: float | None = None
    baseline_score: float | None = None
    candidate_reason: str = ""
    baseline_reason: str = ""
    grader: str = ""
    repeat: int = 0
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class SliceRow(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One metric on one slice, as estimated; `n` counts cases. The bounds belong to candidate - baseline, or to the
    candidate's own value when there is no baseline; each is one-sided at `confidence`.

    `p_worse` is one-sided: how well "the candidate is no worse here" fits (1 where a floor, named in `note`, forbids
    deciding); `p_holm` is the same after Holm's correction over all slices of the suite, and `worse` says that it
    stays worse at 1 - `confidence`. Both p-values are None where nothing was compared.
    """

    suite: str
    metric: str
    slice: dict[str, str]
    n: int
    candidate: float | None = None
    baseline: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float = 0.95
    method: str = ""
    note: str = ""
    p_worse: float | None = None
    p_holm: float | None = None
    worse: bool = False


class PairedRow(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Both models on the same `n` cases of a suite, by a metric that is 0 or 1: on how many only the candidate was
    right (`wins`), on how many only the baseline (`losses`), and McNemar's exact two-sided p-value. For display.
    """

    suite: str
    metric: str
    n: int
    wins: int
    losses: int
    p_exact: float


class Confusion(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of answers by true label (rows) and predicted label (columns).

    There is one row per label; a row has one column per label and may have one more, for answers that were no label.
    """

    suite: str
    grader: str
    role: Role
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class JudgeFacts(Record, frozen=True, kw_only=True, omit_defaults=True):
    """How far a judge agrees with people on `n` answers of the run that people labelled; 0 when there are none.

    `exact` is the share of equal judgements, `kappa` Cohen's (weighted by squared distance for the level "interval"),
    `alpha` Krippendorff's; None where they are undefined.
    """

    suite: str
    grader: str
    models: tuple[str, ...] = ()
    n: int = 0
    exact: float | None = None
    kappa: float | None = None
    alpha: float | None = None
    level: str = ""


class DeclineRow(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The candidate beside a model that was live before, on its kept answers, by one metric. For display.

    `standing` says in words why this model is shown. `estimate` and its bounds are of candidate - kept, or of their ratio;
    each bound is one-sided at `confidence`. None where nothing could be compared; `note` then says why.
    """

    standing: str
    model_id: str
    generation: int
    since: str
    metric: str
    n: int = 0
    candidate: float | None = None
    kept: float | None = None
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float = 0.95
    ratio: bool = False
    note: str = ""


class Consent(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A person's word by which a candidate may go live although its verdict is no PASS, and why they gave it."""

    decision: Literal["approve", "override"]
    actor: str
    reason: str = ""


class PromotionStep(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One event in the promotion's record. `at` is UTC, ISO 8601."""

    step: str
    state: str
    at: str
    detail: str = ""


class SuiteTrace(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Where one model's answers to one suite are kept, and what is not visible in their count.

    `suite_cases` is how many cases the suite holds (more than were asked when sampling stopped early), `repeats` how
    often each was asked, `reused` how many answers were taken over from an earlier run, `unscored` how many answers
    each grader could not judge. `left_out` counts cases of the suite, beside `suite_cases`, that chose the candidate and
    so don't judge it.
    """

    role: Role
    suite: str
    journal: str
    suite_cases: int | None = None
    repeats: int = 1
    reused: int = 0
    left_out: int = 0
    unscored: dict[str, int] = msgspec.field(default_factory=dict)


class RegressionFacts(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a regression run came to: steady, worse, changed or cannot_tell.

    `changes` are what moved, `note` what speaks against the answers it was held against (`compared_with`), `margins` the
    comparisons that hold, `loosened` how the gate is looser than before, `remedy` what to do where nothing could be
    compared; `comparable` is False where no recorded answers could be laid out.
    `rolled_back_to` is the model that
    Gatewright rolled back to, `rollback_problem` why that was asked for and not done.
    """

    outcome: str
    why: str
    changes: tuple[str, ...] = ()
    compared_with: str = ""
    margins: tuple[str, ...] = ()
    loosened: tuple[str, ...] = ()
    remedy: str = ""
    comparable: bool = True
    note: str = ""
    rolled_back_to: str = ""
    rollback_problem: str = ""


class RunFacts(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Everything known of one run. Times are UTC, ISO 8601.

    Attributes:
        kind: what was run, e.g. "promotion", "regression", "evaluation".
        state: what the run came to; None lets the report derive it from the verdict, and then it never says promoted.
        baseline: what was live when the run started, pinned.
        after: what was live when the run ended; None takes the baseline. `moved` says that it took the
            baseline's place while the run went on.
        production_verdict: the verdict on the production deployment, measured before the switch.
        sampling: plain numbers by name. Worded specially: calls, retries, reused, wall_s, cost_usd (None = price
            unknown), prompt_tokens, completion_tokens, cached_tokens. Other names are shown as they are.
        consents: who approved or overrode the verdicts of this run, in their order.
        names: short names of model ids, e.g. {"ft:gpt-4.1-mini:…": "v2"}.
        live_now: one sentence on what is live after this run, since when, and who decided it.
        gate_path: the policy file that was applied.
        regression: what a regression run came to; None before it is settled, and for other runs.
        selection: the field that the candidate was chosen from, or took part in; None when nobody chose.
        notes: things a reader should know, e.g. a leak found between training file and suite.
        next_steps: what the reader can do now.
        since_run: the run of the target that was judged before this one; empty when there was none.
        edits: what changed in gate, suites and target since that run.
        error: why the run broke off, when it did.
    """

    run_id: str
    target: str
    kind: str
    candidate: Candidate
    started: str
    finished: str | None = None
    trigger: str = ""
    requested_by: str = ""
    state: RunState | None = None
    baseline: LivePointer | None = None
    after: LivePointer | None = None
    moved: bool = False
    verdict: Verdict | None = None
    production_verdict: Verdict | None = None
    suite_results: tuple[SuiteResult, ...] = ()
    traces: tuple[SuiteTrace, ...] = ()
    examples: tuple[Example, ...] = ()
    slices: tuple[SliceRow, ...] = ()
    paired: tuple[PairedRow, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    judges: tuple[JudgeFacts, ...] = ()
    declines: tuple[DeclineRow, ...] = ()
    sampling: dict[str, int | float | None] = msgspec.field(default_factory=dict)
    promotion: tuple[PromotionStep, ...] = ()
    consents: tuple[Consent, ...] = ()
    names: dict[str, str] = msgspec.field(default_factory=dict)
    live_now: str = ""
    gate_path: str = ""
    regression: RegressionFacts | None = None
    selection: SelectionFacts | None = None
    notes: tuple[str, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    since_run: str = ""
    edits: tuple[Edit, ...] = ()
    error: str | None = None

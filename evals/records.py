"""The frozen records that rooms hand to one another, and how they are written; `evals.codec` reads them.

Every record is immutable, keyword-only and refuses unknown keys when decoded. Non-finite numbers never pass
the codec: a record holding one cannot be written, so that NaN can't travel into a decision unseen.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, Literal

import msgspec

from evals.codec import decode

__all__ = [
    "INFRASTRUCTURE_OUTCOMES",
    "MODEL_OUTCOMES",
    "Candidate",
    "Case",
    "CheckOutcome",
    "CheckResult",
    "CheckState",
    "EarlierTry",
    "Edit",
    "Endpoint",
    "LivePointer",
    "LookPosition",
    "Message",
    "NextStep",
    "Opponent",
    "Outcome",
    "PooledCheck",
    "Price",
    "Record",
    "Response",
    "RestsOn",
    "Role",
    "RunnerUp",
    "Score",
    "Slot",
    "SuiteResult",
    "TryCount",
    "UnscoredBecause",
    "Usage",
    "Verdict",
    "VerdictOutcome",
    "decode",
    "digest",
    "encode",
]

Role = Literal["candidate", "baseline"]
Slot = Literal["developer", "production"]
Opponent = Literal["baseline", "anchor"]
"""With whom a relative check compares: with what is live, asked in the same run, or with the kept answers of an earlier
live model."""

Outcome = Literal[
    "answered",
    "refused",
    "truncated",
    "content_filtered",
    "invalid_request",
    "timed_out",
    "rate_limited",
    "server_error",
    "connection_error",
]
MODEL_OUTCOMES: frozenset[str] = frozenset({"answered", "refused", "truncated", "content_filtered"})
"""Outcomes that are the model's own: they are graded and stay in the denominator."""
INFRASTRUCTURE_OUTCOMES: frozenset[str] = frozenset(
    {"invalid_request", "timed_out", "rate_limited", "server_error", "connection_error"}
)
"""Outcomes that say nothing of the model: they lower coverage and never quality."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all records."""


class Message(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One chat message; `content` is text, or the provider's list of content parts."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class Case(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One input with what is expected of the answer. `messages` are rendered; `item` is the authored data."""

    id: str
    messages: tuple[Message, ...]
    expected: Any = None
    item: dict[str, Any] = msgspec.field(default_factory=dict)
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    cluster: str | None = None
    weight: float = 1.0


class Endpoint(Record, frozen=True, kw_only=True):
    """Where a model answers. Never holds a secret.

    `base_url` ends before `/chat/completions` or `/responses`; `model` is what goes in the request body (model id or
    deployment name); `model_id` is the pinned identity of the model behind it.
    """

    base_url: str
    model: str
    model_id: str
    api: Literal["chat", "responses"] = "chat"
    slot: Slot = "developer"
    api_version: str | None = None


class Usage(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens of one response. `prompt_tokens` includes the cached ones."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Response(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a model said to a case, or the class of failure. `latency_ms` is that of the attempt that counted."""

    case_id: str
    model_id: str
    outcome: Outcome
    repeat: int = 0
    text: str | None = None
    finish_reason: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    usage: Usage | None = None
    latency_ms: float | None = None
    attempts: int = 1
    error: str | None = None
    error_code: str | None = None
    reused: bool = False


UnscoredBecause = Literal["no_answer", "judge_unreachable", "ungradable"]
"""Why a score is missing: the model's answer never came, its judge could not be asked for now (it is asked again when
the run goes on), or the grader could make nothing of the answer."""


class Score(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a grader made of a response.

    Exactly one of these holds: `value` is a number in [0, 1]; or `predicted` and `truth` are labels (`value` then says
    whether they agree); or all are None, `unscored_because` says why as a code and `reason` in words. Scores stored
    before the code existed have none.
    """

    case_id: str
    grader: str
    version: str
    repeat: int = 0
    value: float | None = None
    truth: str | None = None
    predicted: str | None = None
    reason: str = ""
    unscored_because: UnscoredBecause | None = None

    @property
    def unscored(self) -> bool:
        """True when the grader could not judge the response."""
        return self.value is None


class Price(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a model costs, in USD per 1,000,000 tokens; hosting in USD per hour. None = unknown, never free."""

    input: float
    output: float
    cached_input: float | None = None
    hosting_per_hour: float | None = None
    source: str = ""


class SuiteResult(Record, frozen=True, kw_only=True):
    """Summary of one model's answers to one suite. `metrics` maps a metric's name to its point estimate."""

    run_id: str
    role: Role
    model_id: str
    suite: str
    suite_fingerprint: str
    grader_versions: dict[str, str]
    planned: int
    answered: int
    scored: int
    errored: int
    outcomes: dict[str, int]
    metrics: dict[str, float | None]
    evidence_digest: str


CheckOutcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR"]
VerdictOutcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR"]
CheckState = Literal["decided", "open", "given_up"]
"""Whether the outcome stands; an interim look left the check open; or its chance to pass was too small to go on."""
RestsOn = Literal["interval", "point", "rule"]
"""What an outcome follows from: where the interval lies, the estimate alone (`decide_on: point`), or a rule that goes
before both, such as a method's floor, coverage, too few cases, or an error."""


class LookPosition(Record, frozen=True, kw_only=True):
    """At which interim look, of how many planned ones, a check was examined; `planned` counts its cases in all."""

    look: int
    rounds: int
    planned: int


class CheckResult(Record, frozen=True, kw_only=True):
    """What one check of a gate came to, with the numbers that decided it.

    `candidate` and `baseline` are point estimates of the metric; `estimate`, `lower` and `upper` belong to the quantity
    that is compared with `threshold` (the metric itself, the difference, or the ratio where `percent` is set): each
    bound is one-sided at `confidence`. `decides` is False for shadow checks and for slices that are only reported.
    `against` says whose `baseline` is, and `against_model` names the anchor's model. `overruled` says in a few words why
    the comparison does not decide, whatever its result. `reason` begins with `check` and a colon. `rests_on` is None in
    results stored before it existed, which `evals.gate.old_verdicts` completes; `look` is None for a sample of fixed size.

    `n` counts the cases asked. `missing_candidate` and `missing_baseline` of them lack a score of that model: `estimate` is then of
    those that have both, while `lower` and `upper` hold whatever the missing ones were.
    `measured` is False where too few of them were scored for the policy, or none, or the metric can't tell anything.
    `missing_left_out` says that they were left out of `n` and of everything. `gate_confidence` is what the gate asks of each bound;
    a look may take another (`confidence`). None in results stored before it was noted.
    """

    check: str
    metric: str
    kind: str
    threshold: float
    outcome: CheckOutcome
    reason: str
    decides: bool
    suite: str | None
    slice: dict[str, str]
    n: int
    candidate: float | None = None
    baseline: float | None = None
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    method: str = ""
    confidence: float = 0.95
    overridable: bool = True
    measure_on: Slot = "developer"
    decide_on: Literal["bound", "point"] = "bound"
    warnings: tuple[str, ...] = ()
    percent: bool = False
    state: CheckState = "decided"
    rests_on: RestsOn | None = None
    look: LookPosition | None = None
    against: Opponent = "baseline"
    against_model: str = ""
    overruled: str = ""
    missing_candidate: int = 0
    missing_baseline: int = 0
    measured: bool = True
    missing_left_out: bool = False
    gate_confidence: float | None = None

    @property
    def finding(self) -> str:
        """The reason without the name of the check."""
        return self.reason.removeprefix(f"{self.check}: ")


class Edit(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One difference between what two runs of a target were judged by.

    `field` names what changed ("checks[1].max_drop"), `change` says how, for a reader. `looser` is True where a model
    passes more easily since, and where that can't be told.
    """

    of: Literal["gate", "suite", "target"]
    field: str
    change: str
    looser: bool = False

    @property
    def words(self) -> str:
        """The difference in one line: 'gate checks[1].max_drop: 0.02 -> 0.05 (looser)'."""
        looser = " (looser)" if self.looser and self.of == "gate" else ""
        return f"{self.of} {self.field}: {self.change}{looser}"


class EarlierTry(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A run that showed something of the same candidate before. `outcome` is None where it ended without a verdict.

    `try_number` is 0 for an evaluation, which is no try. `edits` are what changed in gate and suites since, where it
    did not pass and something became looser or was changed.
    """

    run_id: str
    at: str
    requested_by: str
    try_number: int
    outcome: VerdictOutcome | None = None
    edits: tuple[Edit, ...] = ()


class PooledCheck(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A deciding check on the answers of several tries together: the mean over the tries of each case.

    The numbers are those of `CheckResult`; `runs` names the runs whose answers are in it. They are shown to a person and
    decide nothing.
    """

    check: str
    metric: str
    kind: str
    threshold: float
    runs: tuple[str, ...]
    n: int
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float = 0.95
    method: str = ""
    percent: bool = False
    note: str = ""


class RunnerUp(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A selection that a candidate took part in and did not win, while no run of the winner passed.

    `winner` is the model that was chosen, "" while none is; `run_id` is its latest run and `outcome` that run's verdict.
    """

    selection: str
    winner: str = ""
    run_id: str = ""
    outcome: VerdictOutcome | None = None


class TryCount(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Which try of its candidate a run is, and what the target's candidates add up to.

    `number` counts from 1, and is 0 for an evaluation. `candidates` are the target's different candidates that were
    judged in the `window_s` seconds up to this one, itself included; each first try may pass wrongly with a chance of
    1 - `confidence`. `allowed` is how many of them the gate lets pass by themselves, None without a `family`, and `together`
    the confidence that it asks of all of them. `spent` adds up the chances of the candidates, each at what it was judged by,
    None where not added up.
    `runner_up` are the selections that chose another candidate, on whose untouched cases this one would be the next.
    `changed_since_chosen` names the gate and the suites that are not those by which a selection chose this candidate.
    """

    number: int
    candidates: int
    window_s: int
    confidence: float
    allowed: int | None = None
    together: float | None = None
    spent: float | None = None
    earlier: tuple[EarlierTry, ...] = ()
    pooled: tuple[PooledCheck, ...] = ()
    runner_up: tuple[RunnerUp, ...] = ()
    changed_since_chosen: tuple[str, ...] = ()


class Verdict(Record, frozen=True, kw_only=True):
    """The gate's answer: the worst outcome of the checks that decide, bound to what it was judged on.

    `ending` says after which look asking ended and why; it is one of the reasons, and empty for a sample of fixed size.
    `missing` is the gate's rule for scores that are missing, None in verdicts of before there was one: they were left out.
    `causes` says, a sentence for each model, why answers are missing. `against` is `frozen:ID` where the baseline was not
    asked and its frozen answers stood for it. `tries` is None in verdicts of before they were counted, and in those of regression runs.
    """

    outcome: VerdictOutcome
    reasons: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    policy: str
    policy_digest: str
    evidence_digest: str
    candidate_model: str
    baseline_model: str | None
    first_release: bool = False
    ending: str = ""
    tries: TryCount | None = None
    missing: Literal["worst_case", "at_random"] | None = None
    causes: tuple[str, ...] = ()
    against: str = ""

    @property
    def unmeasured(self) -> tuple[CheckResult, ...]:
        """Deciding checks of which too little was measured for anybody to accept them."""
        return tuple(check for check in self.checks if check.decides and not check.measured)

    @property
    def fails_for_lost_answers(self) -> bool:
        """Whether all that failed is how much was answered, which an outage lowers as well as a model does."""
        failed = [
            check.metric for check in self.checks if check.decides and check.outcome == "FAIL"
        ]
        return self.outcome == "FAIL" and set(failed) == {"answered"}

    @property
    def takes(self) -> Literal["approve", "override"] | None:
        """What people have to say for the candidate to go live all the same; None when nobody is asked, or nobody can.

        Nobody can judge what was not measured: with such a check an INCONCLUSIVE takes what a FAIL takes.
        """
        if self.outcome == "INCONCLUSIVE":
            return "override" if self.unmeasured else "approve"
        return "override" if self.outcome == "FAIL" else None


class Candidate(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A model that wants in, with what is known of its origin.

    `weights_of` is the other id that a checkpoint's model goes by, such as that of its job's model for the last one.
    `unlisted` is a checkpoint that no job lists; `job_id` is then the job that it was said to be of, or that its name tells.
    """

    model_id: str
    target: str
    base_model: str | None = None
    job_id: str | None = None
    checkpoint: str | None = None
    training_file: str | None = None
    training_digest: str | None = None
    weights_of: str | None = None
    unlisted: bool = False


class NextStep(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Something a reader can do now: a command, and its effect in a few words."""

    command: str
    effect: str = ""


class LivePointer(Record, frozen=True, kw_only=True):
    """What is live for a target. `generation` counts changes from 1; `since` is UTC, ISO 8601."""

    target: str
    model_id: str
    platform: str
    endpoint: Endpoint
    deployment: str | None
    generation: int
    since: str
    run_id: str | None = None


def encode(record: Any) -> bytes:
    """Serialise a record (or plain JSON data) to canonical JSON: sorted keys, UTF-8, no spaces.

    Raises ValueError when a number is NaN or infinite.
    """
    plain = msgspec.to_builtins(record)
    _refuse_non_finite(plain)
    return msgspec.json.encode(plain, order="sorted")


def digest(data: Any) -> str:
    """Return 'sha256:<hex>' of the canonical JSON of `data` (a record, or plain JSON data)."""
    return "sha256:" + hashlib.sha256(encode(data)).hexdigest()


def _refuse_non_finite(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a record can't hold the non-finite number {value!r}")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_non_finite(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_non_finite(item)

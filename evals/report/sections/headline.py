"""The one sentence on top of a report: what became of the candidate, why, and what is live now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evals.gate.tries.rule import why_no_pass
from evals.records import CheckResult, Verdict
from evals.report.facts import RegressionFacts, RunFacts, RunState
from evals.report.numbers import counted
from evals.report.sanitise import one_line
from evals.report.sections.check import Tone, check_view
from evals.report.sections.reasons import checks_that_hold
from evals.report.sections.regression import REGRESSION_WORDS, regression_sentence

__all__ = ["Headline", "headline", "model_name"]

_WORDS: dict[RunState, tuple[str, str, Tone]] = {
    "promoted": ("PROMOTED", "✓", "pass"),
    "passed": ("PASSED", "✓", "pass"),
    "refused": ("REFUSED", "✕", "fail"),
    "failed": ("FAILED", "✕", "fail"),
    "rolled_back": ("ROLLED BACK", "↶", "fail"),
    "waiting": ("WAITING for approval", "?", "undecided"),
    "inconclusive": ("INCONCLUSIVE", "?", "undecided"),
    "superseded": ("SUPERSEDED", "↷", "plain"),
    "error": ("ERROR", "!", "error"),
}
_SEVERITY = {"PASS": 0, "INCONCLUSIVE": 1, "FAIL": 2, "ERROR": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """`word` is the outcome, `sentence` the reason and what stays or goes live; `tone` is never the only carrier."""

    state: RunState
    word: str
    symbol: str
    tone: Tone
    sentence: str
    live: str

    @property
    def line(self) -> str:
        """Word and sentence in one line."""
        return f"{self.word}: {self.sentence}"


def headline(facts: RunFacts) -> Headline:
    """Word the outcome. Without a stated outcome the verdict's is taken, and a missing verdict is never a pass."""
    state = facts.state or _derived(facts)
    word, symbol, tone = _WORDS[state]
    if facts.regression is not None and state != "error":
        word, symbol, tone = REGRESSION_WORDS[facts.regression.outcome]
    if state == "promoted" and _verdict_word(facts) != "PASS":
        word, symbol, tone = "PROMOTED against the gate", "!", "undecided"
        if _approvable(facts):
            word, symbol = f"PROMOTED, approved{_by(facts)}", "✓"
    if state == "waiting" and "override" in _takes(facts):
        word = "WAITING for overrides"
    return Headline(
        state=state,
        word=word,
        symbol=symbol,
        tone=tone,
        sentence=_sentence(facts, state),
        live=facts.live_now,
    )


def model_name(facts: RunFacts, model_id: str | None) -> str:
    """The model's short name when it has one, else its id."""
    return "none" if model_id is None else facts.names.get(model_id, model_id)


def _derived(facts: RunFacts) -> RunState:
    if facts.error is not None or facts.verdict is None or facts.verdict.outcome == "ERROR":
        return "error"
    outcomes = {"PASS": "passed", "INCONCLUSIVE": "inconclusive"}
    word = _verdict_word(facts)
    if word == "FAIL":
        return "refused" if facts.kind == "promotion" else "failed"
    return (
        "passed"
        if outcomes.get(word) == "passed"
        else "inconclusive"
        if word in outcomes
        else "error"
    )


def _verdict_word(facts: RunFacts) -> str:
    """The worse of the two verdicts; NONE without any."""
    return max(
        (verdict.outcome for verdict in _verdicts(facts)), key=_SEVERITY.__getitem__, default="NONE"
    )


def _sentence(facts: RunFacts, state: RunState) -> str:
    candidate = model_name(facts, facts.candidate.model_id)
    if facts.regression is not None and state != "error":
        return regression_sentence(
            facts.regression,
            candidate,
            _what_held(facts),
            _unsettled(facts, facts.regression),
            candidate if facts.after is None else model_name(facts, facts.after.model_id),
        )
    stays = _stays(facts, over=state != "waiting")
    if state == "promoted":
        return f"{candidate} went live{_instead_of(facts)}; {_on_what(facts)}."
    if state == "rolled_back":
        return f"{candidate} was taken back{_because(facts)}."
    if state == "error" or (state == "failed" and facts.kind == "promotion"):
        reason = _error(facts)  # a candidate that passed may still fail to go live
        word = reason.partition(" ")[0]
        start = reason[:1].upper() if word.isalpha() else reason[:1]  # an id stays as it is
        return f"{start}{reason[1:]}; {stays}."
    if state == "refused" and _verdict_word(facts) == "PASS" and facts.error:
        return f"{_what_held(facts)}, but {_error(facts)}; {stays}."
    if state == "passed":
        return (
            f"{candidate}: {_what_held(facts)}{'' if facts.kind != 'promotion' else f'; {stays}'}."
        )
    if state == "waiting":
        return f"{candidate} needs a person's word: {_blocking(facts)}; until then {stays}."
    return f"{_blocking(facts)}; {stays}." if facts.kind != "evaluation" else f"{_blocking(facts)}."


def _unsettled(facts: RunFacts, found: RegressionFacts) -> str:
    """Why it is not steady: the checks that did not hold, or what the run lacked where all did."""
    return _blocking(facts) if _verdict_word(facts) != "PASS" else _without_stop(found.why)


def _stays(facts: RunFacts, *, over: bool) -> str:
    """What is live once the run is over, if not its candidate; of a run that is `over` something else may be by now."""
    regression = facts.kind == "regression"
    live = facts.after or (None if regression else facts.baseline)
    if live is None and not regression:
        return "nothing is live"
    name = model_name(facts, live.model_id if live is not None else facts.candidate.model_id)
    if facts.moved:
        return f"{name} was made live meanwhile"
    return f"{name} is still live" if regression else f"{name} {'stayed' if over else 'stays'} live"


def _instead_of(facts: RunFacts) -> str:
    return (
        ""
        if facts.baseline is None
        else f" instead of {model_name(facts, facts.baseline.model_id)}"
    )


def _approvable(facts: RunFacts) -> bool:
    """True where people were asked and said yes; what takes an override went live against the gate."""
    return _takes(facts) == {"approve"}


def _takes(facts: RunFacts) -> set[str | None]:
    """What people have to say of the verdicts that are no PASS."""
    return {verdict.takes for verdict in _verdicts(facts) if verdict.outcome != "PASS"}


def _by(facts: RunFacts) -> str:
    people = dict.fromkeys(one_line(consent.actor, 80) for consent in facts.consents)
    return f" by {' and '.join(people)}" if people else ""


def _on_what(facts: RunFacts) -> str:
    """On which evidence it went live, and who decided where that was not enough."""
    if _verdict_word(facts) == "PASS":
        return _what_held(facts)
    said = [f"{one_line(one.actor, 80)} said: {_given(one.reason)}" for one in facts.consents]
    if _approvable(facts):
        return "; ".join((f"a person was asked because {_blocking(facts)}", *said))
    by = f", overridden{_by(facts)}" if facts.consents else ""
    return "; ".join((f"{_what_held(facts)}{by}", *said))


def _given(reason: str) -> str:
    return _without_stop(one_line(reason, 200))


def _because(facts: RunFacts) -> str:
    return f": {_without_stop(facts.error)}" if facts.error else ""


def _error(facts: RunFacts) -> str:
    if facts.error:
        return _without_stop(facts.error)
    return "no verdict was reached" if facts.verdict is None else _blocking(facts)


def _what_held(facts: RunFacts) -> str:
    held = "; on the production deployment, ".join(_held(one) for one in _deciding(facts))
    if not held or _verdict_word(facts) == "PASS":
        return held or checks_that_hold([])
    return f"the gate said {_verdict_word(facts)}, {held}"


def _deciding(facts: RunFacts) -> list[Verdict]:
    """The verdicts that some check decides; counted apart, as on their boards."""
    return [one for one in _verdicts(facts) if any(check.decides for check in one.checks)]


def _held(verdict: Verdict) -> str:
    return checks_that_hold(verdict.checks)


def _blocking(facts: RunFacts) -> str:
    """The gravest finding, how many more there are, and every rule by which no PASS was to be had."""
    verdict = _worst_verdict(facts)
    if verdict is None:
        return "no verdict was reached"
    blocking = blocking_checks(verdict)
    counted_out = [_without_stop(why) for why in _counted_out(verdict)]
    if not blocking and counted_out:
        return "; ".join((*counted_out, _held(verdict)))
    return "; ".join((_gravest(verdict, blocking), *counted_out))


def _counted_out(verdict: Verdict) -> tuple[str, ...]:
    if verdict.tries is None or verdict.outcome != "INCONCLUSIVE":
        return ()
    return why_no_pass(verdict.tries)


def _gravest(verdict: Verdict, blocking: Sequence[CheckResult]) -> str:
    if not blocking and verdict.first_release and verdict.outcome == "INCONCLUSIVE":
        return f"this is a first release, with nothing live to compare with, and {_held(verdict)}"
    if not blocking:
        return (
            _without_stop(verdict.reasons[0])
            if verdict.reasons
            else f"the gate said {verdict.outcome}"
        )
    # A check that could not be measured says nothing of the model: what became of the answers does.
    if verdict.causes and not blocking[0].measured:
        return verdict.causes[0]
    also = "".join(f", and {more}" for more in _others(blocking[1:]))
    return f"{_first(verdict)}{check_view(blocking[0]).short}{also}"


def _others(blocking: Sequence[CheckResult]) -> Iterator[str]:
    """How many more do not hold, and how many are only undecided."""
    undecided = sum(one.outcome == "INCONCLUSIVE" for one in blocking)
    failed = len(blocking) - undecided
    if failed:
        yield f"{counted(failed, 'more check')} {'does' if failed == 1 else 'do'} not hold"
    if undecided:
        yield f"{counted(undecided, 'more check')} {'is' if undecided == 1 else 'are'} undecided"


def _first(verdict: Verdict) -> str:
    """What comes before the checks, such as the rule for a first release."""
    return "first release, and " if verdict.first_release else ""


def _worst_verdict(facts: RunFacts) -> Verdict | None:
    return max(_verdicts(facts), key=lambda verdict: _SEVERITY[verdict.outcome], default=None)


def _verdicts(facts: RunFacts) -> list[Verdict]:
    return [verdict for verdict in (facts.verdict, facts.production_verdict) if verdict is not None]


def blocking_checks(verdict: Verdict) -> list[CheckResult]:
    """The deciding checks that do not hold, gravest first; of the undecided ones, what the run was given up for."""
    blocking = [check for check in verdict.checks if check.decides and check.outcome != "PASS"]
    return sorted(
        blocking, key=lambda check: (-_SEVERITY[check.outcome], check.state != "given_up")
    )


def _without_stop(text: str | None) -> str:
    return (text or "").strip().rstrip(".")

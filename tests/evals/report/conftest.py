"""Facts of runs that never happened, made in one line by the tests that need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evals.records import (
    Candidate,
    CheckResult,
    Endpoint,
    LivePointer,
    SuiteResult,
    Verdict,
    digest,
)
from evals.report.facts import Example, RunFacts, SuiteTrace

V2, V3 = "ft:small:acme::v2aaaa", "ft:small:acme::v3bbbb"


def _check(
    metric: str = "exact_match",
    kind: str = "at_least",
    threshold: float = 0.8,
    *,
    percent: bool = False,
    **given: Any,
) -> CheckResult:
    amount = f"{threshold * 100:g}%" if percent else f"{threshold:g}"
    label = f"{metric} {kind} {amount}"
    known: dict[str, Any] = {
        "check": label,
        "metric": metric,
        "kind": kind,
        "threshold": threshold,
        "percent": percent,
        "rests_on": "interval",
        "outcome": "PASS",
        "reason": f"{label}: the gate's own words",
        "decides": True,
        "suite": "triage",
        "slice": {},
        "n": 600,
        "candidate": 0.87,
        "baseline": 0.81,
        "estimate": 0.87,
        "lower": 0.845,
        "upper": 0.892,
        "method": "clopper-pearson",
    }
    return CheckResult(**(known | given))


def _verdict(outcome: str, *checks: CheckResult, **given: Any) -> Verdict:
    known: dict[str, Any] = {
        "outcome": outcome,
        "reasons": tuple(check.reason for check in checks if check.outcome == outcome),
        "checks": checks,
        "policy": "triage",
        "policy_digest": digest("policy"),
        "evidence_digest": digest("evidence"),
        "candidate_model": V3,
        "baseline_model": V2,
    }
    return Verdict(**(known | given))


def _example(**given: Any) -> Example:
    known: dict[str, Any] = {
        "case_id": "t-0001",
        "suite": "triage",
        "kind": "regression",
        "prompt": "My card was charged twice.",
        "expected": "billing",
        "candidate_text": "outage",
        "baseline_text": "billing",
        "candidate_score": 0.0,
        "baseline_score": 1.0,
    }
    return Example(**(known | given))


def _result(role: str = "candidate", **given: Any) -> SuiteResult:
    known: dict[str, Any] = {
        "run_id": "run-1",
        "role": role,
        "model_id": V3 if role == "candidate" else V2,
        "suite": "triage",
        "suite_fingerprint": digest("suite"),
        "grader_versions": {"exact_match": "2"},
        "planned": 600,
        "answered": 600,
        "scored": 600,
        "errored": 0,
        "outcomes": {"answered": 600},
        "metrics": {"exact_match": 0.87},
        "evidence_digest": digest(role),
    }
    return SuiteResult(**(known | given))


def _pointer() -> LivePointer:
    endpoint = Endpoint(
        base_url="http://127.0.0.1:1/v1", model="live", model_id=V2, slot="production"
    )
    return LivePointer(
        target="triage",
        model_id=V2,
        platform="embedded",
        endpoint=endpoint,
        deployment="live",
        generation=2,
        since="2026-11-14T09:12:44+00:00",
    )


def _facts(**given: Any) -> RunFacts:
    known: dict[str, Any] = {
        "run_id": "run-1",
        "target": "triage",
        "kind": "promotion",
        "candidate": Candidate(model_id=V3, target="triage"),
        "baseline": _pointer(),
        "started": "2026-11-21T06:00:00+00:00",
        "finished": "2026-11-21T06:01:39+00:00",
        "names": {V2: "v2", V3: "v3"},
        "suite_results": (_result(), _result("baseline")),
        "traces": (
            SuiteTrace(role="candidate", suite="triage", journal="candidate.triage.jsonl.zst"),
            SuiteTrace(role="baseline", suite="triage", journal="baseline.triage.jsonl.zst"),
        ),
    }
    return RunFacts(**(known | given))


@pytest.fixture
def check() -> Callable[..., CheckResult]:
    return _check


@pytest.fixture
def verdict() -> Callable[..., Verdict]:
    return _verdict


@pytest.fixture
def example() -> Callable[..., Example]:
    return _example


@pytest.fixture
def result() -> Callable[..., SuiteResult]:
    return _result


@pytest.fixture
def facts() -> Callable[..., RunFacts]:
    return _facts


@pytest.fixture
def failing(check: Any) -> CheckResult:
    """A check that the candidate clearly misses."""
    return _check(candidate=0.741, estimate=0.741, lower=0.711, upper=0.770, outcome="FAIL")


@pytest.fixture
def hostile(failing: CheckResult) -> RunFacts:
    """A run in which everything a model or a stranger could have written is an attack."""
    attack = (
        "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
        "\x1b[31mred\x1b[0m\x1b]0;title\x07 \u202etxt.exe\u202c ```\n# heading\n</style></pre>]]>&{{ 7*7 }}\x00"
    )
    return _facts(
        trigger=attack,
        requested_by=attack,
        notes=(attack,),
        live_now=attack,
        names={V3: attack},
        verdict=_verdict("FAIL", failing),
        examples=(
            _example(case_id=attack, prompt=attack, candidate_text=attack, tags={attack: attack}),
            _example(case_id="long", candidate_text="x" * 1_000_000),
        ),
    )

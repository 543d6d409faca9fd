"""One of several processes that switch the same target at the same moment: python switch_race.py URL NAME.

For every line on stdin, which holds the generation to expect, it tries once and answers `won` or `lost`. Every
fourth generation is a promotion, judged against the one before; the others are adopted.
"""

from __future__ import annotations

import sys

from evals.errors import StaleGenerationError
from evals.records import CheckResult, Endpoint, Verdict
from flows.registry.records import NewPointer, RunRecord
from flows.registry.store import Registry

TARGET = "triage"
PROMOTES_EVERY = 4


def race(url: str, name: str) -> None:
    with Registry.open(url) as registry:
        print("ready", flush=True)
        for line in sys.stdin:
            print(attempt(registry, name, int(line)), flush=True)


def attempt(registry: Registry, name: str, generation: int) -> str:
    model, promotes = f"{name}-{generation}", generation % PROMOTES_EVERY == PROMOTES_EVERY - 1
    run_id = judged(registry, model, generation) if promotes else None
    endpoint = Endpoint(base_url="http://127.0.0.1:1", model=name, model_id=model)
    new = NewPointer(
        target=TARGET, model_id=model, platform="embedded", endpoint=endpoint, run_id=run_id
    )
    kind = "promotion" if promotes else "adopt"
    try:
        registry.switch(new, expected_generation=generation, actor=name, reason="race", kind=kind)
    except StaleGenerationError:
        return "lost"
    return "won"


def judged(registry: Registry, model: str, generation: int) -> str:
    """Bring a run up to its switch, judged against what the generation to expect made live; returns its id."""
    baseline = registry.pointer_at(TARGET, generation).model_id
    run = RunRecord(
        run_id=model,
        target=TARGET,
        kind="promotion",
        requested_by="race",
        candidate_model=model,
        baseline_generation=generation,
    )
    registry.start_run(run)
    check = CheckResult(
        check="accuracy",
        metric="accuracy",
        kind="at_least",
        threshold=0.5,
        outcome="PASS",
        reason="0.9",
        decides=True,
        suite=None,
        slice={},
        n=100,
    )
    verdict = Verdict(
        outcome="PASS",
        reasons=("it holds",),
        checks=(check,),
        policy=TARGET,
        policy_digest="sha256:policy",
        evidence_digest=f"sha256:{model}",
        candidate_model=model,
        baseline_model=baseline,
        first_release=False,
    )
    registry.save_verdict(model, verdict)
    registry.set_run_state(model, "promoting", "about to switch")
    return model


if __name__ == "__main__":
    race(sys.argv[1], sys.argv[2])

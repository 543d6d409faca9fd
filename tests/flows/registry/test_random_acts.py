"""Random acts of several people, checked against a model of the registry that fits on one screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evals.errors import RefusedError, StaleGenerationError
from evals.records import CheckResult, Endpoint, Verdict
from flows.registry.records import NewPointer, RunRecord
from flows.registry.store import Registry

TARGET = "triage"
MODELS = st.sampled_from(["m1", "m2", "m3", "m4"])
WHO = st.sampled_from([0, 1, 2])
OUTCOMES = st.sampled_from(["PASS", "PASS", "FAIL", "INCONCLUSIVE", "ERROR"])


@dataclass
class Model:
    """What should be true: `line` holds (model or None, generation it stands for) for every generation."""

    line: list[tuple[str | None, int]] = field(default_factory=list)
    held: bool = False
    barred: set[str] = field(default_factory=set)

    @property
    def live(self) -> str | None:
        return self.line[-1][0] if self.line else None

    def previous(self) -> str | None:
        below = self.line[-1][1] - 1 if self.line else 0
        for model, _ in reversed(self.line[:below]):
            if model is not None and model != self.live and model not in self.barred:
                return model
        return None


class Actors(RuleBasedStateMachine):
    """Three people with a registry each, opened on one database; `seen` is the generation each of them looked at."""

    new_url: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        url = type(self).new_url()
        self.registries = [Registry.open(url) for _ in range(3)]
        self.seen = [0, 0, 0]
        self.model = Model()
        self.runs: dict[str, tuple[str, str | None, int, str]] = {}
        self.judged: list[tuple[str, str]] = []
        self.spent: set[str] = set()
        self.revoked_runs: dict[str, str] = {}
        self.numbers = count()

    def teardown(self) -> None:
        for registry in self.registries:
            registry.close()

    @rule(who=WHO)
    def look(self, who: int) -> None:
        self.seen[who] = self.registries[who].generation(TARGET)

    @rule(who=WHO, model=MODELS)
    def adopt(self, who: int, model: str) -> None:
        allowed = model not in self.model.barred
        if self._switch(who, model, "adopt", allowed):
            self.model.line.append((model, len(self.model.line) + 1))
            self.model.barred.discard(model)

    @rule(who=WHO, model=MODELS)
    def roll_back(self, who: int, model: str) -> None:
        earlier = [root for name, root in self.model.line if name == model]
        allowed = bool(earlier) and model not in self.model.barred
        if self._switch(who, model, "rollback", allowed, hold=True):
            self.model.line.append((model, earlier[-1]))
            self.model.held = True

    @rule(who=WHO, model=MODELS, outcome=OUTCOMES)
    def judge(self, who: int, model: str, outcome: str) -> None:
        """A run is judged against what is live now, and may be promoted much later."""
        run_id = f"run-{next(self.numbers)}"
        registry, baseline = self.registries[who], self.model.live
        registry.start_run(
            RunRecord(
                run_id=run_id,
                target=TARGET,
                kind="promotion",
                requested_by="x",
                candidate_model=model,
                baseline_model=baseline,
                baseline_generation=len(self.model.line),
            )
        )
        registry.save_verdict(run_id, _verdict(model, baseline, outcome))
        registry.set_run_state(run_id, "promoting")
        self.runs[run_id] = (model, baseline, len(self.model.line), outcome)
        self.judged.append((run_id, model))
        if outcome != "PASS":
            self.spent.add(run_id)

    @precondition(lambda self: self.runs)
    @rule(who=WHO, data=st.data())
    def promote(self, who: int, data: st.DataObject) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.runs)))
        model, _, generation, outcome = self.runs[run_id]
        self.seen[who] = generation
        allowed = outcome == "PASS" and not self.model.held and run_id not in self._overtaken(model)
        allowed = allowed and not self._tried_before(run_id, model)
        if self._switch(who, model, "promotion", allowed, run_id=run_id):
            self.model.line.append((model, len(self.model.line) + 1))
            self.model.barred.discard(model)
            self.registries[who].set_run_state(run_id, "promoted")
            self.spent.add(run_id)
            del self.runs[run_id]

    @rule(who=WHO)
    def withdraw(self, who: int) -> None:
        expected, registry = self.seen[who], self.registries[who]
        act = {"expected_generation": expected, "actor": f"p{who}", "reason": "r"}
        if expected == len(self.model.line):
            registry.withdraw(TARGET, **act)
            self.model.line.append((None, len(self.model.line) + 1))
        else:
            with pytest.raises(StaleGenerationError):
                registry.withdraw(TARGET, **act)

    @rule(who=WHO)
    def hold(self, who: int) -> None:
        self.registries[who].hold(TARGET, actor=f"p{who}", reason="r")
        self.model.held = True

    @rule(who=WHO)
    def release(self, who: int) -> None:
        released = self.registries[who].release(TARGET, actor=f"p{who}", reason="r")
        assert (released is not None) == self.model.held
        self.model.held = False

    @rule(who=WHO, model=MODELS)
    def revoke(self, who: int, model: str) -> None:
        self.registries[who].revoke(TARGET, model, actor=f"p{who}", reason="r", hold=False)
        self.model.barred.add(model)
        self._bar_runs(model)

    @rule(who=WHO, model=MODELS)
    def reinstate(self, who: int, model: str) -> None:
        self.registries[who].reinstate(TARGET, model, actor=f"p{who}", reason="r")
        self.model.barred.discard(model)
        self.revoked_runs = {k: v for k, v in self.revoked_runs.items() if v != model}

    @invariant()
    def everybody_sees_the_same(self) -> None:
        for registry in self.registries:
            live, before = registry.live(TARGET), registry.previous(TARGET)
            assert (live.model_id if live else None) == self.model.live
            assert (before.model_id if before else None) == self.model.previous()
            assert registry.generation(TARGET) == len(self.model.line)
            assert (registry.held(TARGET) is not None) == self.model.held
            for model in ("m1", "m2", "m3", "m4"):
                assert (registry.barred(TARGET, model) is not None) == (model in self.model.barred)

    @invariant()
    def nothing_is_damaged(self) -> None:
        assert self.registries[0].verify() == ()

    def _bar_runs(self, model: str) -> None:
        """Runs that were judged before their model was revoked can't be promoted any more."""
        mine = {run_id: model for run_id, (name, *_) in self.runs.items() if name == model}
        self.revoked_runs = {**self.revoked_runs, **mine}

    def _overtaken(self, model: str) -> set[str]:
        """Those runs, unless a newer event cleared the model."""
        return set(self.revoked_runs) if model in self.model.barred else set()

    def _tried_before(self, run_id: str, model: str) -> bool:
        """Did an earlier run of the model use up its try: without a PASS, or by going live?"""
        earlier = self.judged[: self.judged.index((run_id, model))]
        return any(name == model and one in self.spent for one, name in earlier)

    def _switch(self, who: int, model: str, kind: str, allowed: bool, **other: object) -> bool:
        run_id = other.pop("run_id", None)
        endpoint = Endpoint(base_url="http://127.0.0.1:1", model=model, model_id=model)
        new = NewPointer(
            target=TARGET, model_id=model, platform="embedded", endpoint=endpoint, run_id=run_id
        )
        expected = self.seen[who]
        stale = expected != len(self.model.line)
        act = dict(expected_generation=expected, actor=f"p{who}", reason="r", kind=kind, **other)
        if stale or not allowed:
            with pytest.raises((StaleGenerationError, RefusedError)):
                self.registries[who].switch(new, **act)
            return False
        assert self.registries[who].switch(new, **act).generation == expected + 1
        return True


def _verdict(model: str, baseline: str | None, outcome: str) -> Verdict:
    check = CheckResult(
        check="c",
        metric="m",
        kind="at_least",
        threshold=0.5,
        outcome=outcome,
        reason="r",
        decides=True,
        suite=None,
        slice={},
        n=9,
    )
    return Verdict(
        outcome=outcome,
        reasons=("r",),
        checks=(check,),
        policy="p",
        policy_digest="sha256:p",
        evidence_digest="sha256:e",
        candidate_model=model,
        baseline_model=baseline,
        first_release=baseline is None,
    )


@pytest.mark.slow
def test_whatever_people_do_the_registry_agrees_with_the_model(new_url):
    class Here(Actors):
        pass

    Here.new_url = staticmethod(new_url)
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # shrinking would open hundreds of databases
            suppress_health_check=list(HealthCheck),
        ),
    )

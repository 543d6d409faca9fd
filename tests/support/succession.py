"""A target whose models follow one another, each right on as many cases as a test says; runs carried out step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.letters import ModelHost
from support.project import Project

from evals.records import Verdict
from flows.evaluation import steps
from flows.evaluation.looks import judge_look
from flows.evaluation.request import request_run, resolve
from flows.platforms.base import TriggerRef
from flows.release.go_live import go_live

__all__ = ["CASES", "Succession", "model"]

CASES = 300
TARGET = """\
version: 1
name: line
platform: openai
openai: {base_url: "URL", key_variable: none}
suites: [line]
gate: line
sampling: {temperature: 0, max_attempts: 1}
promotion: {smoke_cases: 1}
"""
SUITE = """\
version: 1
name: line
prompt: [{role: user, content: "Is number {{ item.number }} right?"}]
graders: [{name: exact, type: exact}]
"""
GATE: dict[str, Any] = {
    "version": 1,
    "name": "line",
    "first_release": "absolute_checks",
    "early_stop": False,
    "checks": [{"metric": "exact", "at_least": 0.5, "max_drop": 0.04}],
}


def model(name: str) -> str:
    """Return the id of the model with this name."""
    return f"ft:gpt-4.1-mini-2025-04-14:acme:{name}:{name}"


class Succession(Project):
    """The project, and the host that answers: `wrong` says on how many cases each model is wrong, the first ones."""

    def __init__(self, folder: Path, host: ModelHost, **gate: Any) -> None:
        super().__init__(folder, actor="ada")
        self.host, self.wrong = host, {}
        self.host.say = self._say
        self.write_target("line", TARGET.replace("URL", host.url))
        self.set_gate(**gate)
        self.write_cases()

    wrong: dict[str, int]

    def set_gate(self, **more: Any) -> None:
        self.write_gate("line", GATE | more)

    def write_cases(self, changed: int = 0) -> None:
        """Write the suite; the last `changed` cases ask for another number than they did."""
        rows = (
            {
                "id": f"c{number:03}",
                "item": {"number": number + (1000 if number >= CASES - changed else 0)},
                "expected": "yes",
            }
            for number in range(CASES)
        )
        self.write_suite("line", SUITE, rows)

    def answers(self, name: str, *, wrong: int) -> Succession:
        """Have the host answer for a model, as it did when the folder was made; return itself."""
        self.wrong[model(name)] = wrong
        self.host.known.add(model(name))
        return self

    async def judged(
        self, name: str, *, wrong: int, again: str = "", against: str = "", kind: Any = "promotion"
    ) -> tuple[str, Verdict]:
        """Ask a candidate and the live model, or take frozen answers of it, and judge; return the run and its verdict."""
        self.wrong[model(name)] = wrong
        run_id = await self.requested(name, again=again, against=against, kind=kind)
        await steps.deploy_candidate(self.settings, run_id)
        for look in range(1, steps.rounds(self.settings, run_id) + 1):
            await steps.ask_round(self.settings, run_id, look)
            if judge_look(self.settings, run_id, look):
                break
        return run_id, steps.conclude(self.settings, run_id)

    async def requested(self, name: str, *, kind: Any = "promotion", **marks: Any) -> str:
        """Put a run of a candidate on record and name what it is compared with; return the run."""
        self.host.known.add(model(name))
        ref = TriggerRef(model_id=model(name))
        run, _ = request_run(self.settings, "line", ref, kind=kind, actor="webhook", **marks)
        await resolve(self.settings, run.run_id)
        return run.run_id

    async def promoted(self, name: str, *, wrong: int) -> str:
        """Take a candidate that passes all the way; return its run."""
        run_id, verdict = await self.judged(name, wrong=wrong)
        assert verdict.outcome == "PASS", verdict.reasons
        outcome = await go_live(self.settings, run_id)
        assert outcome.state == "live", outcome.detail
        return run_id

    async def regressed(self, name: str, *, again: str = "1") -> tuple[str, Verdict]:
        """Ask what is live its suites once more, alone, and judge; return the run and its verdict."""
        run, _ = request_run(
            self.settings,
            "line",
            TriggerRef(model_id=model(name)),
            kind="regression",
            actor="cron",
            again=again,
        )
        await resolve(self.settings, run.run_id)
        for look in steps.rounds_due(self.settings, run.run_id):
            await steps.ask_round(self.settings, run.run_id, look)
            if judge_look(self.settings, run.run_id, look):
                break
        return run.run_id, steps.conclude(self.settings, run.run_id)

    def _say(self, asked: str, text: str) -> str:
        number = int(text.split("number ")[1].split()[0]) % 1000
        return "no" if number < self.wrong.get(asked, 0) else "yes"

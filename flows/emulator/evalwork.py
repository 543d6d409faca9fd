"""Working through an eval run: every item is asked and graded, some end in an error, the run still completes."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from flows.emulator.errors import Refusal
from flows.emulator.evalgrading import Ungradable, grade, render
from flows.emulator.evals import EvalDefinition
from flows.emulator.fine_tuning.training_files import flat_text
from flows.emulator.inference.answer import say
from flows.emulator.inference.serving import Serving, resolve
from flows.emulator.requests import Caller
from flows.emulator.state.documents import Document, Flavour
from flows.emulator.state.world import EmulatorState
from flows.emulator.webhooks.outbox import announce

__all__ = ["OPEN", "EvalRun", "EvalWorker"]

OPEN = ("queued", "in_progress")
Rows = list[dict[str, Any]]


class EvalRun(Document, kw_only=True):
    """A run of an eval with its output items."""

    account: str
    eval: str
    name: str
    created_at: float
    metadata: dict[str, str]
    data_source: dict[str, Any]
    status: str = "queued"
    items: list[dict[str, Any]] = msgspec.field(default_factory=list)
    error: dict[str, Any] | None = None


class EvalWorker:
    """Takes runs from queued to completed, failed or canceled."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world

    def start(self, caller: Caller, definition: EvalDefinition, run: EvalRun, rows: Rows) -> None:
        """Work through a run in the background."""
        self.world.start(self._work(caller, definition, run, rows), f"eval run {run.id}")

    def fail_interrupted(self) -> None:
        """End what a restart interrupted; a run is not taken up again."""
        for run in self.world.store.all(EvalRun):
            if run.status in OPEN:
                run.error = {"code": "server_error", "message": "The run was interrupted."}
                self.end(run, "failed", "azure")

    async def _work(
        self, caller: Caller, definition: EvalDefinition, run: EvalRun, rows: Rows
    ) -> None:
        half = self.world.switches.eval_run_s / 2
        await self.world.clock.sleep_until(run.created_at + half)
        if run.status == "queued":
            run.status = "in_progress"
            self.world.store.put(run)
        await self.world.clock.sleep_until(run.created_at + 2 * half)
        if run.status != "in_progress":
            return
        if self.world.switches.eval_outcome == "failed":
            run.error = {"code": "server_error", "message": "The run could not be finished."}
            self.end(run, "failed", caller.flavour)
            return
        try:
            serving = (
                resolve(self.world, caller, str(run.data_source.get("model")))
                if run.data_source["type"] != "jsonl"
                else None
            )
        except Refusal as refusal:
            run.error = {
                "code": "model_not_found",
                "message": str(refusal.body["error"]["message"]),
            }
            self.end(run, "failed", caller.flavour)
            return
        run.items = [
            self._item(serving, definition, run, number, row) for number, row in enumerate(rows)
        ]
        self.end(run, "completed", caller.flavour)

    def end(self, run: EvalRun, status: str, flavour: Flavour) -> None:
        """End a run and tell the receivers of webhooks."""
        run.status = status
        self.world.store.put(run)
        word = "succeeded" if status == "completed" else status
        announce(self.world, run.account, flavour, f"eval.run.{word}", run.id)

    def _item(
        self,
        serving: Serving | None,
        definition: EvalDefinition,
        run: EvalRun,
        number: int,
        row: dict[str, Any],
    ) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "object": "eval.run.output_item", "id": f"outputitem_{run.id[8:]}_{number}", "run_id": run.id,
            "eval_id": run.eval, "created_at": int(self.world.clock.now()), "status": "fail",
            "datasource_item_id": number, "datasource_item": row.get("item", {}), "results": [],
        }  # fmt: skip
        try:
            if self.world.chance("eval-error", self.world.switches.eval_error_rate, run.id, number):
                raise Ungradable("the model could not be sampled")
            shown["sample"] = self._sample(serving, run, row)
            text = {"output_text": shown["sample"]["output"][0]["content"]}
            sample = {**text, **_parsed(text["output_text"])}
            for one in definition.testing_criteria:
                score, passed = grade(one, row.get("item", {}), sample)
                shown["results"].append(
                    {
                        "name": one["id"],
                        "type": one["type"],
                        "score": score,
                        "passed": passed,
                        "sample": None,
                    }
                )
            shown["status"] = "pass" if all(one["passed"] for one in shown["results"]) else "fail"
        except Ungradable as error:
            shown["sample"] = {
                "input": [],
                "output": [],
                "error": {"code": "server_error", "message": str(error)},
                "usage": None,
            }
            shown["status"] = "error"
        return shown

    def _sample(self, serving: Serving | None, run: EvalRun, row: dict[str, Any]) -> dict[str, Any]:
        if serving is None:
            text = str(row.get("sample", {}).get("output_text", ""))
            return {
                "input": [],
                "output": [{"role": "assistant", "content": text}],
                "error": None,
                "usage": None,
            }
        template = (run.data_source.get("input_messages") or {}).get("template") or []
        item = row.get("item", {})
        messages = [
            {"role": one["role"], "content": render(flat_text(one.get("content")), item, {})}
            for one in template
        ]
        said = say(self.world, serving, messages)
        usage = {
            "prompt_tokens": said.prompt_tokens, "completion_tokens": said.completion_tokens,
            "total_tokens": said.prompt_tokens + said.completion_tokens, "cached_tokens": said.cached_tokens,
        }  # fmt: skip
        return {
            "input": messages, "output": [{"role": "assistant", "content": said.text}], "finish_reason": said.finish_reason,
            "model": serving.model_id, "usage": usage, "error": None,
        }  # fmt: skip


def _parsed(text: str) -> dict[str, Any]:
    try:
        return {"output_json": json.loads(text)}
    except ValueError:
        return {}

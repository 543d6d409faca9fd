"""Runs of the Evals API: their addresses and how they are shown."""

from __future__ import annotations

import json
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.errors import bad_request, not_found
from flows.emulator.evals import find_eval
from flows.emulator.evalwork import OPEN, EvalRun, EvalWorker
from flows.emulator.fine_tuning.files import file_path, find_file
from flows.emulator.requests import Caller, json_body, page, reply, who
from flows.emulator.state.world import EmulatorState

__all__ = ["EvalRuns"]

Rows = list[dict[str, Any]]


class EvalRuns:
    """Handlers below `/evals/{eval}/runs`."""

    def __init__(self, world: EmulatorState) -> None:
        self.world, self.worker = world, EvalWorker(world)

    async def create(self, request: Request) -> Response:
        """POST …/runs."""
        caller = who(self.world, request, "data/infer")
        _, definition = find_eval(self.world, request)
        body = await json_body(self.world, request, caller.flavour)
        source = body.get("data_source")
        if not isinstance(source, dict) or source.get("type") not in (
            "completions",
            "responses",
            "jsonl",
        ):
            raise bad_request(
                "'data_source.type' must be completions, responses or jsonl.",
                caller.flavour,
                param="data_source",
            )
        rows = self._rows(caller, source.get("source") or {})
        run = EvalRun(
            id=f"evalrun_{secrets.token_hex(12)}", account=caller.account.key, eval=definition.id,
            name=str(body.get("name") or ""), created_at=self.world.clock.now(),
            metadata=body.get("metadata") or {}, data_source=source,
        )  # fmt: skip
        self.world.store.put(run)
        self.worker.start(caller, definition, run, rows)
        return reply(_shown(run), 201 if caller.flavour == "azure" else 200)

    async def list(self, request: Request) -> Response:
        """GET …/runs; `status` filters."""
        _, definition = find_eval(self.world, request)
        status = request.query_params.get("status")
        runs = [
            one
            for one in self.world.store.all(EvalRun)
            if one.eval == definition.id and status in (None, one.status)
        ]
        chosen, more = page(runs, request, key=lambda one: one.id)
        return reply({"object": "list", "data": [_shown(one) for one in chosen], "has_more": more})

    async def get(self, request: Request) -> Response:
        """GET …/runs/{run}."""
        return reply(_shown(self._find(request)))

    async def cancel(self, request: Request) -> Response:
        """POST …/runs/{run} or …/runs/{run}/cancel; the status is spelled 'canceled' here."""
        run = self._find(request)
        if run.status in OPEN:
            self.worker.end(run, "canceled", "azure")
        return reply(_shown(run))

    async def delete(self, request: Request) -> Response:
        """DELETE …/runs/{run}."""
        run = self._find(request)
        self.world.store.delete(EvalRun, run.id)
        return reply({"object": "eval.run.deleted", "deleted": True, "run_id": run.id})

    async def items(self, request: Request) -> Response:
        """GET …/runs/{run}/output_items; `status` filters by pass and fail."""
        status = request.query_params.get("status")
        items = [one for one in self._find(request).items if status in (None, one["status"])]
        chosen, more = page(items, request, key=lambda one: str(one["id"]))
        return reply({"object": "list", "data": chosen, "has_more": more})

    def _find(self, request: Request) -> EvalRun:
        flavour, definition = find_eval(self.world, request)
        run = self.world.store.get(EvalRun, request.path_params["run"])
        if run is None or run.eval != definition.id:
            raise not_found("eval run", request.path_params["run"], flavour)
        return run

    def _rows(self, caller: Caller, source: dict[str, Any]) -> Rows:
        if source.get("type") == "file_content" and isinstance(source.get("content"), list):
            return list(source["content"])
        if source.get("type") == "file_id":
            stored = find_file(self.world, caller, str(source.get("id")))
            text = file_path(self.world, stored.id).read_text("utf-8-sig")
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        raise bad_request(
            "'data_source.source' must be file_content or file_id.",
            caller.flavour,
            param="data_source",
        )


def _shown(run: EvalRun) -> dict[str, Any]:
    done = run.status not in OPEN
    counts = {
        "passed": _count(run, "pass"),
        "failed": _count(run, "fail"),
        "errored": _count(run, "error"),
    }
    return {
        "object": "eval.run",
        "id": run.id,
        "eval_id": run.eval,
        "status": run.status,
        "model": run.data_source.get("model"),
        "name": run.name,
        "created_at": int(run.created_at),
        "report_url": f"https://embedded.example/evals/{run.eval}/runs/{run.id}",
        "error": run.error,
        "metadata": run.metadata,
        "data_source": run.data_source,
        "result_counts": {"total": len(run.items), **counts},
        "per_model_usage": _usage(run) if done else None,
        "per_testing_criteria_results": _by_criterion(run) if done else None,
    }


def _count(run: EvalRun, status: str) -> int:
    return sum(one["status"] == status for one in run.items)


def _usage(run: EvalRun) -> Rows:
    used = [one["sample"]["usage"] for one in run.items if one["sample"].get("usage")]
    if not used:
        return []
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens")
    sums = {name: sum(one[name] for one in used) for name in names}
    return [{"model_name": run.data_source.get("model"), "invocation_count": len(used), **sums}]


def _by_criterion(run: EvalRun) -> Rows:
    names = dict.fromkeys(result["name"] for one in run.items for result in one["results"])
    results = [result for one in run.items for result in one["results"]]
    return [
        {
            "testing_criteria": name,
            "passed": sum(one["passed"] for one in results if one["name"] == name),
            "failed": sum(not one["passed"] for one in results if one["name"] == name),
        }
        for name in names
    ]

"""Working through a batch: read and check the lines, answer them in any order, write what came out."""

from __future__ import annotations

import json
import secrets
from typing import Any

from flows.emulator.errors import Refusal, bad_request
from flows.emulator.fine_tuning.files import file_path, save_file
from flows.emulator.inference.answer import say
from flows.emulator.inference.completions import shown_completion
from flows.emulator.inference.parameters import check_chat
from flows.emulator.inference.serving import resolve
from flows.emulator.requests import Caller
from flows.emulator.state.documents import Document
from flows.emulator.state.world import EmulatorState
from flows.emulator.webhooks.outbox import announce

__all__ = ["Batch", "BatchWorker"]

Rows = list[dict[str, Any]]


class Batch(Document, kw_only=True):
    """A batch; `times` holds when each status was reached."""

    account: str
    created_at: float
    endpoint: str
    input_file: str
    metadata: dict[str, str] | None
    times: dict[str, float]
    status: str = "validating"
    output_file: str | None = None
    error_file: str | None = None
    errors: list[dict[str, Any]] | None = None
    completed: int = 0
    failed: int = 0


class BatchWorker:
    """Takes batches from validating to completed, failed or cancelled."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world

    def start(self, caller: Caller, batch: Batch) -> None:
        """Work through a batch in the background."""
        self.world.start(self._work(caller, batch), f"batch {batch.id}")

    def fail_interrupted(self) -> None:
        """End what a restart interrupted; a batch is not taken up again."""
        for batch in self.world.store.all(Batch):
            if batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
                self.set(batch, "failed")

    def set(self, batch: Batch, status: str) -> None:
        """Change and store a status with its time."""
        batch.status = status
        batch.times[status] = self.world.clock.now()
        self.world.store.put(batch)

    async def _work(self, caller: Caller, batch: Batch) -> None:
        half = self.world.switches.batch_s / 2
        await self.world.clock.sleep_until(batch.created_at + half)
        lines = self._lines(batch)
        if batch.status == "validating":
            self.set(batch, "failed" if batch.errors else "in_progress")
        await self.world.clock.sleep_until(batch.created_at + 2 * half)
        if batch.status == "in_progress":
            self._answer_all(caller, batch, lines)
            self.set(batch, "finalizing")
            self.set(batch, "completed")
        elif batch.status == "cancelling":
            self.set(batch, "cancelled")
        announce(self.world, batch.account, caller.flavour, f"batch.{batch.status}", batch.id)

    def _lines(self, batch: Batch) -> Rows:
        """Read and check the input; problems go to `batch.errors`."""
        rows: Rows = []
        problems: Rows = []
        for number, line in enumerate(
            file_path(self.world, batch.input_file).read_text("utf-8").splitlines(), 1
        ):
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict) or not isinstance(row.get("body"), dict):
                problems.append(
                    _problem("invalid_json_line", number, "The line is not a valid request.")
                )
            elif row.get("custom_id") in {one["custom_id"] for one in rows}:
                problems.append(
                    _problem(
                        "duplicate_custom_id", number, f"'{row['custom_id']}' was seen before."
                    )
                )
            elif row.get("url") != batch.endpoint:
                problems.append(
                    _problem(
                        "url_mismatch", number, f"'{row.get('url')}' is not the batch's endpoint."
                    )
                )
            else:
                rows.append(row)
        if not rows and not problems:
            problems.append(_problem("empty_file", 1, "The input file is empty."))
        batch.errors = problems or None
        return rows

    def _answer_all(self, caller: Caller, batch: Batch, rows: Rows) -> None:
        answered: Rows = []
        failed: Rows = []
        for row in sorted(
            rows, key=lambda one: self.world.draw("batch", one["custom_id"])
        ):  # unordered, as the real one
            line = self._answer(caller, row)
            (answered if line["response"]["status_code"] == 200 else failed).append(line)
        batch.completed, batch.failed = len(answered), len(failed)
        batch.output_file = self._file(caller, "output", answered)
        batch.error_file = self._file(caller, "errors", failed)

    def _answer(self, caller: Caller, row: dict[str, Any]) -> dict[str, Any]:
        body = row["body"]
        try:
            serving = resolve(self.world, caller, str(body.get("model")))
            self._check_deployment(serving.deployment.sku if serving.deployment else None)
            check_chat(self.world, serving, body, caller.flavour)
            limit = body.get("max_completion_tokens") or body.get("max_tokens")
            said = say(self.world, serving, body["messages"], limit=limit)
            status, content = 200, shown_completion(self.world, caller, serving, body, said)
        except Refusal as refusal:
            status, content = refusal.status, refusal.body
        response = {"status_code": status, "request_id": secrets.token_hex(12), "body": content}
        return {
            "id": f"batch_req_{secrets.token_hex(12)}",
            "custom_id": row["custom_id"],
            "response": response,
            "error": None,
        }

    def _check_deployment(self, sku: str | None) -> None:
        if sku is not None and not sku.endswith("Batch"):
            raise bad_request(
                f"A batch needs a GlobalBatch or DataZoneBatch deployment; this one is {sku}.",
                "azure",
                code="model_mismatch",
            )

    def _file(self, caller: Caller, kind: str, lines: Rows) -> str | None:
        if not lines:
            return None
        data = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
        return save_file(self.world, caller, f"batch_{kind}.jsonl", "batch_output", data).id


def _problem(code: str, line: int, message: str) -> dict[str, Any]:
    return {"code": code, "line": line, "message": message, "param": None}

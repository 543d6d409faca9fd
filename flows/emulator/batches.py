"""The Batch API: a file of requests in, a file of answers out, in any order; failures in a file of their own."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.batchwork import Batch, BatchWorker
from flows.emulator.errors import bad_request, not_found
from flows.emulator.fine_tuning.files import find_file
from flows.emulator.requests import json_body, page, reply, who
from flows.emulator.state.world import EmulatorState

__all__ = ["Batches"]

_ENDPOINTS = ("/v1/chat/completions", "/chat/completions")
_TIMES = (
    "in_progress",
    "expires",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
)


class Batches:
    """Handlers of `/batches`."""

    def __init__(self, world: EmulatorState) -> None:
        self.world, self.worker = world, BatchWorker(world)

    async def create(self, request: Request) -> Response:
        """POST /batches."""
        caller = who(self.world, request, "data/infer")
        body = await json_body(self.world, request, caller.flavour)
        if body.get("endpoint") not in _ENDPOINTS:
            raise bad_request(
                f"'endpoint' must be one of {list(_ENDPOINTS)}.", caller.flavour, param="endpoint"
            )
        if body.get("completion_window") != "24h":
            raise bad_request(
                "'completion_window' must be '24h'.", caller.flavour, param="completion_window"
            )
        stored = find_file(self.world, caller, str(body.get("input_file_id")))
        if stored.purpose != "batch":
            raise bad_request(
                "The input file must have the purpose 'batch'.",
                caller.flavour,
                param="input_file_id",
            )
        now = self.world.clock.now()
        batch = Batch(
            id=f"batch_{secrets.token_hex(12)}", account=caller.account.key, created_at=now, endpoint=body["endpoint"],
            input_file=stored.id, metadata=body.get("metadata"), times={"expires": now + 86_400},
        )  # fmt: skip
        self.world.store.put(batch)
        self.worker.start(caller, batch)
        return reply(_shown(batch))

    async def list(self, request: Request) -> Response:
        """GET /batches, newest first."""
        caller = who(self.world, request, "data/infer")
        mine = [
            one
            for one in reversed(self.world.store.all(Batch))
            if one.account == caller.account.key
        ]
        chosen, more = page(mine, request, key=lambda one: one.id)
        ends = {
            "first_id": chosen[0].id if chosen else None,
            "last_id": chosen[-1].id if chosen else None,
        }
        return reply(
            {"object": "list", "data": [_shown(one) for one in chosen], "has_more": more, **ends}
        )

    async def get(self, request: Request) -> Response:
        """GET /batches/{batch}."""
        return reply(_shown(self._find(request)))

    async def cancel(self, request: Request) -> Response:
        """POST /batches/{batch}/cancel."""
        batch = self._find(request)
        if batch.status in ("validating", "in_progress"):
            self.worker.set(batch, "cancelling")
        return reply(_shown(batch))

    def _find(self, request: Request) -> Batch:
        caller = who(self.world, request, "data/infer")
        batch = self.world.store.get(Batch, request.path_params["batch"])
        if batch is None or batch.account != caller.account.key:
            raise not_found("batch", request.path_params["batch"], caller.flavour)
        return batch


def _shown(batch: Batch) -> dict[str, Any]:
    times = {
        f"{name}_at": int(batch.times[name]) if name in batch.times else None for name in _TIMES
    }
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "input_file_id": batch.input_file,
        "completion_window": "24h",
        "created_at": int(batch.created_at),
        "status": batch.status,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "request_counts": {
            "total": batch.completed + batch.failed,
            "completed": batch.completed,
            "failed": batch.failed,
        },
        "metadata": batch.metadata,
        **times,
    }

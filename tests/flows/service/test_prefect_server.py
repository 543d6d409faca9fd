"""What the stand-in says of Prefect holds for a real server."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.prefect_server import running_prefect_server

from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.starting import job_order, start

pytestmark = pytest.mark.slow


def patiently(url: str, body: dict[str, Any]) -> Any:
    """Post to a server that is just up: it answers 503 while its database is locked."""
    deadline = time.monotonic() + 900
    while True:
        answer = httpx.post(url, json=body, timeout=900)
        if answer.status_code != 503 or time.monotonic() > deadline:
            assert answer.is_success, answer.text
            return answer.json()
        time.sleep(0.3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A Prefect server of this test alone, with a deployment that no worker takes up."""
    with running_prefect_server(tmp_path / "prefect") as url:
        flow = patiently(f"{url}/flows/", {"name": "promotion"})["id"]
        wanted = {"name": "promotion", "flow_id": flow, "enforce_parameter_schema": False}
        patiently(f"{url}/deployments/", wanted)
        yield url


async def test_keys_and_states_are_as_the_stand_in_has_them(
    server: str, settings: Any, registry: Any
) -> None:
    order = job_order("triage", "ftjob-1")
    async with (
        PrefectRuns(server, patience_s=900) as api,
        httpx.AsyncClient(base_url=server, timeout=900) as raw,
    ):

        async def set_state(flow_run: str, state: str, **details: bool) -> None:
            body = {"state": {"type": state, "state_details": details}, "force": True}
            (await raw.post(f"/flow_runs/{flow_run}/set_state", json=body)).raise_for_status()

        async def flow_runs() -> list[Any]:
            found: list[Any] = (await raw.post("/flow_runs/filter", json={})).json()
            return sorted(found, key=lambda run: str(run["idempotency_key"]))

        said = [(await start(api, registry, settings, order)).words for _ in range(2)]
        assert said[0] == said[1]
        assert "is scheduled" in said[0] or "is late" in said[0]
        (first,) = await flow_runs()
        assert first["parameters"] == order.parameters

        await set_state(first["id"], "RUNNING")
        assert "is running" in (await start(api, registry, settings, order)).words
        time.sleep(1.2)
        again = await start(api, registry, settings, order, silence_s=1.0)
        assert "#2)" in again.words
        first, second = await flow_runs()
        assert (first["state_type"], second["idempotency_key"]) == ("CRASHED", f"{order.key}#2")

        # A person's answer resumes what is suspended, and nothing else.
        assert await api.look_up(str(uuid.uuid4())) is None
        answer = {"decision": "look again"}
        assert not await api.resume(str(uuid.uuid4()), answer)
        assert not await api.resume(second["id"], answer)
        await set_state(second["id"], "PAUSED", pause_reschedule=True)
        assert await api.resume(second["id"], answer)
        assert not await api.resume(second["id"], answer)
        found = await api.look_up(second["id"])
        assert found is not None
        assert found["state_type"] == "SCHEDULED"

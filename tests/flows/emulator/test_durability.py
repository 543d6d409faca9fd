"""The emulator as a process: killed at any moment, started again, and everything is still there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from flows.emulator.__main__ import main
from flows.emulator.server import Emulator
from flows.orchestration.processes import free_port

SECRET = "whsec_cHJvbW90aW9uLWVtdWxhdG9yLXRlc3Qta2V5LTAwMDE="


@contextmanager
def running(state: Path, port: int, waiting, *more: str):
    command = [
        sys.executable,
        "-m",
        "flows.emulator",
        "--port",
        str(port),
        "--state",
        str(state),
        *more,
    ]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None, "the emulator ended"
        try:
            return httpx.get(f"{url}/_emulator/health").status_code == 200
        except httpx.TransportError:
            return False

    try:
        waiting(ready)
        yield url, process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_killed_emulator_goes_on_where_it_was(tmp_path, workshop, receiver) -> None:
    port, state = free_port(), tmp_path / "killed"
    hook = ("--webhook-url", receiver.url, "--webhook-secret", SECRET)
    slow = ("--switch", "running_s=3600", "--switch", "webhook_retry_s=0.2")
    receiver.answers = [503] * 50
    with running(state, port, workshop.wait_until, *hook, *slow) as (url, process):
        with OpenAI(
            base_url=f"{url}/openai/v1", api_key="embedded-api-key", max_retries=0
        ) as client:
            upload = client.files.create(
                file=("t.jsonl", workshop.training_lines()), purpose="fine-tune"
            )
            workshop.wait_until(lambda: client.files.retrieve(upload.id).status == "processed")
            create = client.fine_tuning.jobs.create
            job = create(model="gpt-4.1-mini", training_file=upload.id, metadata={"run": "1"}).id
            workshop.wait_until(lambda: client.fine_tuning.jobs.retrieve(job).status == "running")
            other = create(model="gpt-4.1-mini", training_file=upload.id).id
            client.fine_tuning.jobs.cancel(other)
            plane = workshop.plane()
            plane.url = url
            plane.put("base", "gpt-4o", "GlobalStandard")
            httpx.post(f"{url}/_emulator/clock", json={"advance_s": 120}, timeout=900)
            receiver.wait(1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    receiver.answers, before = [], len(receiver.got)
    with running(state, port, workshop.wait_until, *hook, "--switch", "running_s=0") as (url, _):
        assert httpx.get(f"{url}/_emulator/clock", timeout=900).json()["offset_s"] == 120
        assert plane.get("base").json()["properties"]["provisioningState"] == "Succeeded"
        with OpenAI(
            base_url=f"{url}/openai/v1", api_key="embedded-api-key", max_retries=0
        ) as client:
            workshop.wait_until(lambda: client.fine_tuning.jobs.retrieve(job).status == "succeeded")
            assert client.fine_tuning.jobs.retrieve(job).metadata == {"run": "1"}

            def delivered() -> set[str]:
                got = [
                    client.webhooks.unwrap(body, headers, secret=SECRET)
                    for headers, body in receiver.got[before:]
                ]
                return {event.type.rsplit(".", 1)[1] for event in got}

            workshop.wait_until(lambda: delivered() == {"succeeded", "cancelled"})


def test_state_survives_an_orderly_restart(tmp_path, weights) -> None:
    header = {"Authorization": "Bearer embedded-arm-token"}
    where = (
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/embedded/providers"
        "/Microsoft.CognitiveServices/accounts/embedded/deployments/base?api-version=2025-06-01"
    )
    model = {"format": "OpenAI", "name": "gpt-4o", "version": "2024-11-20"}
    with Emulator(tmp_path, provisioning_s=600) as emulator:
        body = {"sku": {"name": "GlobalStandard", "capacity": 3}, "properties": {"model": model}}
        httpx.put(emulator.url + where, json=body, headers=header, timeout=900)
    with Emulator(tmp_path) as emulator:
        read = lambda: httpx.get(emulator.url + where, headers=header, timeout=900).json()  # noqa: E731
        assert read()["properties"]["provisioningState"] == "Creating"
        emulator.clock.advance(601)
        assert read()["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--switch", "nonsense=1"], "nonsense"),
        (["--switch", "provisioning_s"], "NAME=VALUE"),
        (["--switch", "provisioning_s=soon"], "provisioning_s"),
        (["--switches", "missing.json"], "missing.json"),
        (["--webhook-url", "http://x", "--webhook-secret", "plain"], "whsec_"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_3(tmp_path, capsys, arguments, words) -> None:
    assert main(["--state", str(tmp_path), *arguments]) == 3
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1


def test_a_taken_port_is_exit_code_4(tmp_path, capsys) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["--state", str(tmp_path), "--port", port]) == 4
    assert "port" in capsys.readouterr().err

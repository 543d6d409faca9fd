"""Two models, a judge and a job with its training file, in the test's own loop; and the project `letters` that uses them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from support.project import Project, adopt

from evals.records import Verdict
from flows.evaluation import steps
from flows.evaluation.request import request_run, resolve
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry

CANDIDATE = "ft:gpt-4.1-mini-2025-04-14:acme:new:Aa1"
BASELINE = "ft:gpt-4.1-mini-2025-04-14:acme:old:Bb2"
JUDGE = "gpt-4.1"
CASES = 40

SUITE = """\
version: 1
name: letters
prompt: [{role: user, content: "Write a polite letter about the matter of {{ item.about }}."}]
graders:
  - {name: tone, type: judge, model: gpt-4.1, rubric: "Is it polite?", labels: [polite, rude], passing: [polite]}
  - {name: preferred, type: pairwise_judge, model: gpt-4.1, rubric: "Which is better?", against: baseline}
"""
GATE = """\
version: 1
name: letters
first_release: absolute_checks
early_stop: false
checks:
  - {metric: tone, at_least: 0.5}
"""
TARGET = """\
version: 1
name: letters
platform: openai
openai: {base_url: "URL", key_variable: none}
suites: [letters]
gate: letters
sampling: {max_completion_tokens: 20, lost_answers: {wait: 0s}, max_attempts: 2}
judge: {model: gpt-4.1}
"""


@dataclass
class ModelHost:
    """What answers, and what it was asked.

    `judge_down`, `training`, `say`, `known` models, `fingerprint` and `lost` (requests are answered with 500) are the test's to set.
    """

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    judge_down: bool = False
    training: list[dict[str, Any]] | None = None
    say: Callable[[str, str], str] | None = None
    fingerprint: str | None = None
    lost: bool = False
    known: set[str] = field(default_factory=lambda: {CANDIDATE, BASELINE, JUDGE})
    gone: set[str] = field(default_factory=set)
    """Models that were shut down."""
    refusing: dict[str, int] = field(default_factory=dict)
    """Models that are out of reach, each with the status that it answers."""
    answers_as: str = ""
    """The model that answers say they are of, where that is not the one that was asked."""
    list_down: bool = False
    """Whether the list of models is out of reach."""
    fetched: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        model = body["model"]
        if model in self.gone:
            return web.json_response({"error": {"code": "model_not_found"}}, status=404)
        if model in self.refusing:
            error = {"code": "model_not_found" if self.refusing[model] == 404 else "x"}
            return web.json_response({"error": error}, status=self.refusing[model])
        if body["messages"][0]["content"] == "ping":
            return _said(model, "pong")
        self.asked[model] += 1
        self.bodies.append(body)
        if model != JUDGE and self.lost:
            return web.json_response({"error": {"message": "down", "code": "x"}}, status=500)
        if model != JUDGE and self.say is not None:
            text = self.say(model, body["messages"][0]["content"])
            return _said(self.answers_as or model, text, self.fingerprint)
        if model != JUDGE:
            return _said(model, "a kind letter" if model == CANDIDATE else "a letter")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        if self.judge_down:
            return web.json_response({"error": {"message": "down", "code": "x"}}, status=400)
        return _said(model, json.dumps({"steps": [], "result": _verdict(body)}))

    async def response(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked[body["model"]] += 1
        self.bodies.append(body)
        content = [{"type": "output_text", "text": "a kind letter", "annotations": []}]
        message = {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
        usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
        return web.json_response(
            {
                "id": "r1",
                "status": "completed",
                "model": body["model"],
                "output": [message],
                "usage": usage,
            }
        )

    async def model(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self.list_down:
            return web.json_response({"error": {"message": "down", "code": "x"}}, status=503)
        if name not in self.known - self.gone:
            return web.json_response({"error": {"code": "model_not_found"}}, status=404)
        return web.json_response({"id": name, "object": "model", "created": 0, "owned_by": "acme"})

    async def job(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "id": "ftjob-1",
                "object": "fine_tuning.job",
                "status": "succeeded",
                "model": "gpt-4.1-mini-2025-04-14",
                "fine_tuned_model": CANDIDATE,
                "training_file": "file-1",
            }
        )

    async def file(self, request: web.Request) -> web.Response:
        if self.training is None:
            return web.json_response({"error": {"code": "not_found"}}, status=404)
        if request.path.endswith("/content"):
            self.fetched += 1
            return web.Response(text="".join(json.dumps(row) + "\n" for row in self.training))
        return web.json_response({"id": "file-1", "object": "file", "bytes": 1, "purpose": "x"})


def _verdict(body: dict[str, Any]) -> str:
    """The judge finds every letter polite, and prefers kind ones."""
    text = body["messages"][1]["content"]
    if "first answer" not in text:
        return "polite"
    first = re.search(r"The first answer.*?>\n(.*?)\n<", text, re.DOTALL)
    return "first" if first and "kind" in first[1] else "second"


def _said(model: str, text: str, fingerprint: str | None = None) -> web.Response:
    return web.json_response(
        {
            "model": model,
            "system_fingerprint": fingerprint,
            "choices": [
                {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }
    )


@asynccontextmanager
async def model_host(listening: socket.socket | None = None) -> AsyncIterator[ModelHost]:
    """Run a host in the loop of the test, where `listening` listens or at a port of its own."""
    found = ModelHost()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", found.chat)
    app.router.add_post("/v1/responses", found.response)
    app.router.add_get("/v1/models/{name}", found.model)
    app.router.add_get("/v1/fine_tuning/jobs/ftjob-1", found.job)
    app.router.add_get("/v1/files/file-1", found.file)
    app.router.add_get("/v1/files/file-1/content", found.file)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = (
        web.SockSite(runner, listening.dup())
        if listening is not None
        else web.TCPSite(runner, "127.0.0.1", 0)
    )
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield found
    await runner.cleanup()


class Letters(Project):
    """A project of one target, `letters`, and its runs carried out step by step, without Prefect."""

    def __init__(self, root: Path, host: ModelHost) -> None:
        super().__init__(root, actor="ada")
        self.host = host
        self.write_target("letters", TARGET.replace("URL", host.url))
        self.write_gate("letters", GATE)
        self.write_suite("letters", SUITE, cases())

    @property
    def suite(self) -> Path:
        return self.datasets / "letters"

    @property
    def gate(self) -> Path:
        return self.gates / "letters.yaml"

    @property
    def target(self) -> Path:
        return self.targets / "letters.yaml"

    def change(self, path: Path, old: str, new: str) -> None:
        """Replace every `old` in a file: a judge's model stands in several places."""
        text = path.read_text("utf-8")
        assert old in text, text
        path.write_text(text.replace(old, new), "utf-8")

    def go_live(self) -> None:
        with open_registry(self.settings) as registry:
            adopt(registry, "letters", BASELINE, base_url=self.host.url, platform="openai")

    def request(self, again: str = "", *, fresh: bool = False, by_job: bool = False) -> str:
        ref = TriggerRef(job_id="ftjob-1") if by_job else TriggerRef(model_id=CANDIDATE)
        run, _ = request_run(
            self.settings, "letters", ref, kind="evaluation", actor="ada", again=again, fresh=fresh
        )
        return run.run_id

    async def prepare(self, run_id: str) -> None:
        await resolve(self.settings, run_id)
        await steps.preflight(self.settings, run_id)
        await steps.deploy_candidate(self.settings, run_id)

    async def judge(self, run_id: str) -> Verdict:
        await steps.ask_round(self.settings, run_id, 1)
        return steps.conclude(self.settings, run_id)


def about(number: int) -> str:
    """Something no other case is about."""
    return hashlib.sha256(bytes([number])).hexdigest()


def cases() -> list[dict[str, Any]]:
    return [{"id": f"c{number}", "item": {"about": about(number)}} for number in range(CASES)]


def question_about(number: int) -> str:
    """Return the question of a case, as it is asked."""
    return f"Write a polite letter about the matter of {about(number)}."

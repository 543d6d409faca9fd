"""A chat endpoint on loopback whose answers a test decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from evals.evaluation.evaluation import EvaluatedModel
from evals.records import Endpoint, Price
from evals.sampling.request_spec import SamplingSettings

__all__ = ["ModelServer"]


class ModelServer:
    """A chat endpoint on loopback: `answer(model, text)` says what a model says; a number is the status of a failure."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[str, str]] = []
        self.answer: Callable[[str, str], str | int | None] = lambda _model, _text: "yes"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                model, text = body["model"], body["messages"][-1]["content"]
                self.asked.append((model, text))
                writer.write(self._reply(self.answer(model, text)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _reply(self, said: str | int | None) -> bytes:
        message = {"role": "assistant", "content": said}
        body: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
        }
        status = "200 OK"
        if said is None or isinstance(said, int):
            status, body = f"{said or 400} Bad", {"error": {"code": "trouble", "message": "no"}}
        data = json.dumps(body).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}"
        return head.encode() + b"\r\n\r\n" + data

    def side(self, model: str) -> EvaluatedModel:
        """The model as one side of a contest."""
        url = f"http://127.0.0.1:{self.port}/v1"
        endpoint = Endpoint(base_url=url, model=model, model_id=f"{model}-id")
        return EvaluatedModel(
            connection=StubConnection(endpoint),
            settings=SamplingSettings(concurrency=16, max_attempts=1),
            price=Price(input=1.0, output=2.0),
        )


class StubConnection:
    """A connection as platforms give it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def auth(self) -> dict[str, str]:
        return {"api-key": "key-0123456789abcdef"}

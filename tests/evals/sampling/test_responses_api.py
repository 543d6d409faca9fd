"""Sampling through the Responses API: the same books, the same classes of outcome."""

from __future__ import annotations

from typing import Any, get_args

from evals.records import Outcome
from evals.sampling.request_spec import SamplingSettings

RETRIED = {"timed_out", "rate_limited", "server_error", "connection_error"}


async def test_the_responses_api_is_asked_in_its_own_words(studio: Any) -> None:
    studio.api = "responses"

    def script(request: Any) -> Any:
        assert request.path == "/v1/responses"
        part = {"type": "output_text", "text": request.body["input"][-1]["content"]}
        message = {"type": "message", "role": "assistant", "content": [part]}
        usage = {"input_tokens": 3, "output_tokens": 2}
        return studio.status(200, {"status": "completed", "output": [message], "usage": usage})

    studio.server.script = script
    summary = await studio.run(studio.asks(5))
    assert studio.responses()["c-4", 0].text == "case 4"
    assert summary.roles["baseline"].usage.completion_tokens == 10


def said(status: str = "completed", **more: Any) -> dict[str, Any]:
    """A response of the Responses API; `part` is what its one message holds."""
    part = more.pop("part", {"type": "output_text", "text": "yes", "annotations": []})
    message = {"type": "message", "role": "assistant", "content": [part]}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    return {"status": status, "error": None, "output": [message], "usage": usage} | more


RESPONSES = {
    "answered": lambda studio: studio.status(200, said()),
    "refused": lambda studio: studio.status(
        200, said(part={"type": "refusal", "refusal": "I can't."})
    ),
    "truncated": lambda studio: studio.status(
        200, said("incomplete", incomplete_details={"reason": "max_output_tokens"})
    ),
    "content_filtered": lambda studio: studio.status(
        200, said("incomplete", incomplete_details={"reason": "content_filter"})
    ),
    "invalid_request": lambda studio: studio.failing(400, "context_length_exceeded"),
    "timed_out": lambda studio: studio.drip("x", 0.1),
    "rate_limited": lambda studio: studio.failing(429, headers={"retry-after-ms": "5"}),
    "server_error": lambda studio: studio.status(
        200, said("failed", error={"code": "server_error", "message": "m"}, output=[])
    ),
    "connection_error": lambda studio: studio.drop_at_once(),
}


async def test_the_responses_api_has_every_class_of_outcome(studio: Any) -> None:
    studio.api, studio.roles = "responses", ("candidate",)
    classes = list(RESPONSES)
    assert set(classes) == set(get_args(Outcome))
    studio.server.script = lambda request: RESPONSES[classes[int(request.text[5:])]](studio)
    settings = SamplingSettings(concurrency=9, timeout_s=3.0, max_attempts=2)
    summary = await studio.run(studio.asks(len(classes)), settings=settings)
    studio.check_books(summary, len(classes))
    found = {response.case_id: response for response in studio.responses().values()}
    assert {case_id: response.outcome for case_id, response in found.items()} == {
        f"c-{number}": outcome for number, outcome in enumerate(classes)
    }
    assert {o: found[f"c-{n}"].attempts for n, o in enumerate(classes)} == {
        outcome: 2 if outcome in RETRIED else 1 for outcome in classes
    }
    assert found["c-1"].text == "I can't."
    # What the model said was paid for, and what it cut short too.
    assert summary.roles["candidate"].usage.completion_tokens >= 4 * 2

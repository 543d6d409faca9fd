"""The lines of a journal, and what can be told of them without reading them whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from evals.codec import decoder
from evals.errors import InfrastructureError
from evals.files.versions import unreadable
from evals.records import INFRASTRUCTURE_OUTCOMES, Record, Response, Usage
from evals.sampling.journal.keys import AnsweredKeys

__all__ = [
    "Entry",
    "History",
    "ResponseHead",
    "decode_entry",
    "encode_entry",
    "peek",
    "read_entry",
    "settles",
]


class Entry(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One line: the response, when it came (Unix seconds), and what helps to trace it with the service."""

    at: float
    response: Response
    request_id: str | None = None
    served_by: str | None = None
    fingerprint: str | None = None


@dataclass(slots=True)
class History:
    """What a journal holds of one role and suite: settled keys, number of lines by outcome, tokens paid for."""

    keys: AnsweredKeys = field(default_factory=AnsweredKeys)
    outcomes: dict[str, int] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def count(self, head: ResponseHead) -> None:
        """Take in one line."""
        self.outcomes[head.outcome] = self.outcomes.get(head.outcome, 0) + 1
        if settles(head.outcome):
            self.keys.add(head.case_id, head.repeat)
        if head.usage and not head.reused:
            self.prompt_tokens += head.usage.prompt_tokens
            self.completion_tokens += head.usage.completion_tokens
            self.cached_tokens += head.usage.cached_tokens


class ResponseHead(msgspec.Struct):
    """The part of a response that is needed to know what is settled and spent."""

    case_id: str
    outcome: str
    repeat: int = 0
    usage: Usage | None = None
    reused: bool = False


class _HeadOnly(msgspec.Struct):
    response: ResponseHead


encode_entry = msgspec.json.Encoder().encode
decode_entry = decoder(Entry).decode
_decode_peek = decoder(_HeadOnly).decode


def settles(outcome: str) -> bool:
    """True when a case with this outcome is not asked again: the model spoke, or the request can't be answered."""
    return outcome not in INFRASTRUCTURE_OUTCOMES or outcome == "invalid_request"


def peek(line: bytes, folder: Path) -> ResponseHead:
    """Read the essentials of a line. Raises InfrastructureError, naming the journal, when it is damaged."""
    try:
        return _decode_peek(line).response
    except msgspec.DecodeError as error:
        raise _damaged(folder, error) from error


def read_entry(line: bytes, folder: Path) -> Entry:
    """Read a line whole. Raises InfrastructureError, naming the journal, when it is damaged."""
    try:
        return decode_entry(line)
    except msgspec.DecodeError as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: msgspec.DecodeError) -> InfrastructureError:
    if isinstance(error, msgspec.ValidationError):
        return unreadable(folder / "journal", error)
    return InfrastructureError(
        f"the journal in {folder} is damaged ({error}): move it away and start a new run"
    )

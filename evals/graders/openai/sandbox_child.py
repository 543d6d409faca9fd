"""The other side of `sandbox.py`: a script that loads a source under limits and answers one line with one line.

It imports nothing of Gatewright, so that it starts fast and what it runs finds nothing of ours.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import traceback
from collections.abc import Callable
from typing import Any

_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.kill",
)
_DISK = 1 << 30
_OPEN_FILES = 128
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000


def main() -> None:
    """Read the source and its limits, then answers to be graded, until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the source prints must not be taken for an answer
    setup = json.loads(sys.stdin.readline())
    try:
        _limit(setup["memory_mb"])
        scope: dict[str, Any] = {"__name__": "grader"}
        exec(compile(setup["source"], "<grader>", "exec"), scope)  # noqa: S102 - the very purpose
        grade = scope["grade"]
        reply: dict[str, Any] = {}
    except BaseException:
        reply = {"error": traceback.format_exc(limit=-4)}
    _reply(answers, reply)
    for line in sys.stdin:
        _limit_time(setup["timeout_s"])
        _reply(answers, _judge(grade, json.loads(line)))


def _judge(grade: Callable[..., Any], data: dict[str, Any]) -> dict[str, Any]:
    try:
        value = grade(data["sample"], data["item"])
        number = float(value) if not isinstance(value, str) else math.nan
    except BaseException:
        return {"error": traceback.format_exc(limit=-4)}
    return {"value": number} if math.isfinite(number) else {"error": f"no number: {value!r}"[:200]}


def _limit(memory_mb: int) -> None:
    # Set here and not by the parent's `preexec_fn`, which may deadlock in a process with threads.
    _leave_network()
    memory = memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_DISK, _DISK))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(
        _refuse
    )  # for good: Python has no way to remove a hook, so the source has none either


def _limit_time(seconds: float) -> None:
    # CPU time counts from the start of the process, so each answer gets what is used so far and its own share on top.
    used = resource.getrusage(resource.RUSAGE_SELF)
    ceiling = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (ceiling, hard))


def _refuse(event: str, _: Any) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"a grader may not do this: {event}")


def _leave_network() -> None:
    """Enter a network of our own, where the system lets us; the audit hook refuses sockets in any case."""
    try:
        import ctypes

        ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    except (ImportError, OSError, AttributeError):
        return


def _reply(answers: Any, reply: dict[str, Any]) -> None:
    answers.write(json.dumps(reply) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()

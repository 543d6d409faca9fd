"""Runs a grader's source in a child process with limits on time, memory, files and network.

One process serves many answers, because starting Python for each would take longer than most graders do. It gets no
environment, an empty folder to live in, and ends with its parent. The limits stop accidents and careless code; they
are no defence against an author who means harm.
"""

from __future__ import annotations

import math
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evals.codec import decode

__all__ = ["Sandbox", "SandboxError", "SandboxResult"]

_CHILD = Path(__file__).with_name("sandbox_child.py")
_START_S = 30.0
_LARGEST_REPLY = 1_000_000


class SandboxError(Exception):
    """The child process had to be ended, or ended itself, before it judged."""


class SandboxResult(NamedTuple):
    """The number a source returned, or the error it raised instead."""

    value: float | None
    error: str = ""


class Sandbox:
    """A child process for one source; started when first used, and again after it had to be ended."""

    def __init__(self, source: str, *, timeout_s: float = 120.0, memory_mb: int = 2048) -> None:
        self._setup = {"source": source, "timeout_s": timeout_s, "memory_mb": memory_mb}
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def grade(self, sample: dict[str, Any], item: dict[str, Any]) -> SandboxResult:
        """Judge one answer. Raises SandboxError."""
        with self._lock:
            child = self._child or self._start()
            try:
                reply = child.call({"sample": sample, "item": item}, self._timeout_s)
            except SandboxError:
                self._end()
                raise
        value = reply.get("value")
        if isinstance(value, int | float) and math.isfinite(value):
            return SandboxResult(float(value))
        return SandboxResult(None, str(reply.get("error", "no number"))[:2000])

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._end()

    def _start(self) -> _Child:
        child = self._child = _Child()
        try:
            reply = child.call(self._setup, _START_S)
        except SandboxError:
            self._end()
            raise
        if "error" in reply:
            self._end()
            raise SandboxError(f"the source can't be loaded: {reply['error']}"[:2000])
        return child

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="grader-")
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own script
            [sys.executable, "-I", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C reaches the run alone, which ends its children
        )
        self._end = weakref.finalize(self, _finish, self._process, self._folder)
        self._buffer = b""

    def call(self, message: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Send one line and wait for one. Raises SandboxError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise SandboxError(f"the grader's process is gone: {error}") from None
        try:
            reply = decode(self._line(time.monotonic() + timeout_s, timeout_s))
        except msgspec.DecodeError:
            raise SandboxError("the grader's process wrote something else than an answer") from None
        return reply if isinstance(reply, dict) else {}

    def end(self) -> None:
        """Kill the process and remove its folder."""
        self._end()

    def _line(self, deadline: float, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([descriptor], [], [], max(0.0, left))
            if not ready:
                raise SandboxError(f"the grader took longer than {timeout_s:g} s and was ended")
            chunk = os.read(descriptor, 65_536)
            if not chunk:
                code = self._process.wait()
                raise SandboxError(
                    f"the grader's process ended (exit {code}): out of memory or time?"
                )
            self._buffer += chunk
            if len(self._buffer) > _LARGEST_REPLY:
                raise SandboxError("the grader's process wrote too much")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _finish(process: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was still to be written has no reader any more
                continue
    process.wait()
    folder.cleanup()

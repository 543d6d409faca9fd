"""Processes that tests start with `python -m …` are forked from one that has imported everything, where that can be.

Most of what a short process costs is its imports: two seconds for a command, seven for a flow run, ten for a worker of
pytest-xdist. `install` has `subprocess` ask a fork server (`support/fork_server.py`) for them. What one gets is a
process like any other: a child of who started it, with a pid of its own, that is waited for, signalled and killed.
Whatever a fork would not be equal to is started as always: see `_order`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

__all__ = ["install", "stop_server", "uninstall", "use"]

MODULES = frozenset(
    {
        "flows.cli",
        "flows.emulator",
        "prefect",
        "prefect.engine",
        "prefect.flow_engine",
        "prefect.runner._workspace_supervisor",
        "support.process_facts",
        "support.topics",
    }
)
"""What is forked when it is run with `-m` …"""
SCRIPTS = frozenset({"lives.py", "slot_work.py", "switch_race.py"})
"""… or as a file below `tests`."""
STARTS_OTHERS = frozenset(
    {"prefect", "prefect.runner._workspace_supervisor", "support.process_facts"}
)
"""What starts such processes in turn and is given a server for them; `gatewright demo` is, too."""
READ_EARLY = (
    *("PYTHON", "LANG", "LC_", "LD_", "OMP_", "OPENBLAS_", "OTEL_", "TERMINAL_", "TYPER_"),
    *("PREFECT_API_EVENTS_", "PREFECT_SERVER_EVENTS_", "PREFECT_SERVER_SERVICES_", "PREFECT_TASK"),
)
"""Variables that the interpreter or a library reads as it starts: a fork would not notice another value …"""
READ_AGAIN = ("PYTHONPATH", "PYTHONUNBUFFERED", "_ENABLED")
"""… but for these, by their ends."""

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_exec: Any = getattr(subprocess, "_fork_exec", None)
_asking = threading.Lock()
_server: socket.socket | None = None
_program: subprocess.Popen[bytes] | None = None
_began_with: dict[str, str] = {}


def install() -> None:
    """Fork what can be forked from now on. The server begins with the first of them."""
    if sys.platform == "linux" and _exec is not None:
        subprocess._fork_exec = _fork_or_exec  # type: ignore[attr-defined]


def uninstall() -> None:
    """Begin every process anew again."""
    if _exec is not None:
        subprocess._fork_exec = _exec  # type: ignore[attr-defined]


def stop_server() -> None:
    """End the server; who was forked goes on."""
    global _server, _program
    if _server is not None:
        _server.close()
    if _program is not None:
        _program.wait()
    _server = _program = None


def use(server: socket.socket, began_with: dict[str, str]) -> None:
    """Ask a server that runs already: each forked process has one, for the processes that it starts itself."""
    global _server, _began_with
    _server, _began_with = server, began_with
    install()


def _fork_or_exec(*given: Any) -> int:
    order = _order(*given)
    if order is None:
        return int(_exec(*given))
    pipes = given[6:12]
    streams = [
        pipe if pipe >= 0 else own for own, pipe in enumerate((pipes[0], pipes[3], pipes[5]))
    ]
    return _ask(order, streams) or int(_exec(*given))


def _order(
    args: list[Any],
    executables: tuple[bytes, ...],
    close_fds: bool,
    kept_fds: tuple[int, ...],
    cwd: Any,
    env: list[bytes] | None,
    *more: Any,
) -> dict[str, Any] | None:
    """What the server has to know; None where a fork would differ from a program begun anew."""
    _, new_session, process_group, gid, _, uid, umask, before = more[8:16]
    argv = [os.fsdecode(arg) for arg in args]
    environment = (
        dict(os.environ) if env is None else dict(os.fsdecode(one).split("=", 1) for one in env)
    )
    folder = os.path.abspath(os.fsdecode(cwd or "."))
    program, *rest = _program_of(argv)
    if (
        executables != (os.fsencode(sys.executable),)
        or not program
        or not close_fds
        or len(kept_fds) != 1  # other files are handed over
        or (gid, uid, umask, before) != (None, None, -1, None)
        or not os.path.isdir(folder)
        or _early(environment) != _early(_began_with or dict(os.environ))
        or _shadows(environment)
    ):
        return None
    return {
        "program": program,
        "argv": rest,
        "starts_others": program in STARTS_OTHERS or rest[:1] == ["demo"],
        "environment": environment,
        "folder": folder,
        "new_session": new_session,
        "process_group": process_group,
        "ignores_sigint": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }


def _program_of(argv: list[str]) -> list[str]:
    """The module or the file that is run, with its arguments; "" where it is not one of those that are forked."""
    if argv[1:2] == ["-m"] and argv[2:3] and argv[2] in MODULES:
        return argv[2:]
    if argv[1:] and os.path.basename(argv[1]) in SCRIPTS:
        return [os.path.abspath(argv[1]), *argv[2:]]
    return [""]


def _early(environment: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_EARLY) and not name.endswith(READ_AGAIN)
    }


def _shadows(environment: dict[str, str]) -> bool:
    """Whether a folder that we do not search holds Python, which would be found before what is imported already."""
    return any(
        next(Path(folder).glob("*.py"), None) or next(Path(folder).glob("*/__init__.py"), None)
        for folder in environment.get("PYTHONPATH", "").split(os.pathsep)
        if folder and os.path.abspath(folder) not in sys.path
    )


def _ask(order: dict[str, Any], streams: list[int]) -> int:
    """Have a process forked; returns its pid, 0 when there is no server.

    The server forks twice and lets the process in between end: who is an orphan becomes a child of the nearest
    ancestor that adopts orphans, which for this moment is us.
    """
    global _server
    with _asking:
        if _server is None:
            _server = _begin()
        _adopt_orphans(True)
        try:
            socket.send_fds(_server, [json.dumps(order).encode()], streams)
            return int(_server.recv(100) or b"0")
        except OSError:
            return 0
        finally:
            _adopt_orphans(False)


def _adopt_orphans(adopt: bool) -> None:
    ctypes.CDLL(None).prctl(_SUBREAPER, int(adopt), 0, 0, 0)


def _begin() -> socket.socket:
    from support.paths import child_environment

    global _began_with, _program
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = str(Path(__file__).with_name("fork_server.py"))
    _began_with = dict(os.environ)
    with its:
        _program = subprocess.Popen(
            [sys.executable, program, str(its.fileno()), "x" * 2_000],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
            env=child_environment(ROOM="x" * 16_000),
        )
    return ours

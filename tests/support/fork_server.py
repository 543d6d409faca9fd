"""Forks processes that find everything imported; run by `support.forking`, which says what for.

Reads an order a message from the socket whose number it is given. It has no threads, and ends when nobody holds the
other end of the socket.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from support import forking

IMPORTED = (
    *("flows.cli", "flows.demo.servers", "flows.emulator.server", "flows.service.app"),
    *("flows.promotion", "flows.regression", "flows.rollback", "flows.sweep", "flows.watch"),
    *("prefect.cli", "prefect.cli.deploy", "prefect.cli.worker", "prefect.workers.process"),
    *("prefect.flow_engine", "prefect.runner._workspace_supervisor"),
    *("openai", "pandas", "scipy.stats", "sklearn"),
)
PREFECT_SERVER = (
    *("prefect.cli.server", "prefect.server.api.server", "prefect.server.services.base"),
)
"""Five seconds more, for those alone who start such a server."""
Order = dict[str, Any]


def main() -> None:
    channel, began_with = socket.socket(fileno=int(sys.argv[1])), dict(os.environ)
    given = {sys.path[0], *_search_path(began_with)}
    sys_path = [folder for folder in sys.path if folder not in given]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those whom we forked
    import_all(IMPORTED)
    order, streams = serve(channel)  # from here on we are the new process
    ours = None
    while order["starts_others"]:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork():
            break
        for file in (channel.detach(), ours.detach(), *streams):
            os.close(file)
        channel, ours = its, None  # we are the server of those that it starts …
        order, streams = serve(channel)  # … or one of these
    keep_open(streams, ours)
    if ours is not None:
        forking.use(ours, began_with)
    become(order, sys_path)
    run(order["program"])


def import_all(names: tuple[str, ...]) -> None:
    for name in names:
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()


def serve(channel: socket.socket) -> tuple[Order, list[int]]:
    """Fork a process for each order. Returns in that process alone: its order and its standard streams."""
    while True:
        message, streams, _, _ = socket.recv_fds(channel, 1 << 20, 3)
        if not message:
            os._exit(0)
        order = json.loads(message)
        if (order["program"], *order["argv"][:2]) == ("prefect", "server", "start"):
            import_all(PREFECT_SERVER)
        between = os.fork()
        if between:
            os.waitpid(between, 0)
            for stream in streams:
                os.close(stream)
            continue
        between = os.getpid()
        if os.fork():
            os._exit(0)
        while os.getppid() == between:
            time.sleep(0.0002)  # until who asked has adopted us
        channel.send(str(os.getpid()).encode())
        return order, streams


def keep_open(streams: list[int], server: socket.socket | None) -> None:
    """Leave open the standard streams and the way to the server."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    kept = 2 if server is None else server.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def become(order: Order, sys_path: list[str]) -> None:
    """Take on what a program that is begun anew gets from its parent or makes of it."""
    if order["new_session"]:
        os.setsid()
    elif order["process_group"] >= 0:
        os.setpgid(0, order["process_group"])
    if not order["ignores_sigint"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = order["environment"]
    os.environ.clear()
    os.environ.update(environment)
    script = order["program"] if os.path.isabs(order["program"]) else ""
    how = [script] if script else ["-m", order["program"]]
    _show([sys.executable, *how, *order["argv"]], environment)
    os.chdir(order["folder"])
    sys.argv = [script, *order["argv"]]
    beside = os.path.dirname(script) or order["folder"]
    sys.path[:] = [beside, *dict.fromkeys((*_search_path(environment), *sys_path))]
    importlib.invalidate_caches()
    _open_streams(bool(environment.get("PYTHONUNBUFFERED")))
    _read_prefect_settings()


def run(program: str) -> None:
    """Run a module as `python -m` does, or a file, to the end of the process."""
    sys.modules.pop(program, None)
    try:
        if os.path.isabs(program):
            runpy.run_path(program, run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if code and not isinstance(ended.code, int):
            print(ended.code, file=sys.stderr)
    # What the interpreter does at its end, but for taking thousands of modules to pieces.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code & 0xFF)


def _search_path(environment: dict[str, str]) -> list[str]:
    return [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]


def _open_streams(unbuffered: bool) -> None:
    """Standard streams know whether they are a terminal, a file or a pipe from when they are opened."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        binary = open(  # noqa: SIM115 - open to the end
            number,
            "wb" if number else "rb",
            buffering=0 if unbuffered and number else -1,
            closefd=False,
        )
        stream = io.TextIOWrapper(
            binary,
            encoding=before.encoding,
            errors=before.errors,
            newline="\n" if number else None,
            line_buffering=not unbuffered and (number == 2 or binary.isatty()),
            write_through=unbuffered,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _show(command: list[str], environment: dict[str, str]) -> None:
    """Have /proc and `ps` show these and not the server's: they stand where the kernel laid the server's out."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    _overwrite(command, int(fields[45]), int(fields[46]))
    variables = [f"{name}={value}" for name, value in environment.items()]
    _overwrite(variables, int(fields[47]), int(fields[48]))


def _overwrite(texts: list[str], begin: int, end: int) -> None:
    block = b"".join(os.fsencode(text) + b"\0" for text in texts)[: end - begin - 1]
    ctypes.memmove(begin, block.ljust(end - begin, b"\0"), end - begin)


def _read_prefect_settings() -> None:
    """Have Prefect read its settings and set up its logging as when it is imported, but not before they are needed."""
    from prefect.context import SettingsContext, refresh_global_settings_context
    from prefect.logging import configuration

    get = SettingsContext.__dict__["get"]

    def first_get(cls: type[SettingsContext]) -> SettingsContext | None:
        SettingsContext.get = get  # type: ignore[method-assign]
        refresh_global_settings_context()
        configuration.PROCESS_LOGGING_CONFIG.clear()
        configuration.setup_logging()
        return SettingsContext.get()

    SettingsContext.get = classmethod(first_get)  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    main()

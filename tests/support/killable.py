"""Runs Gatewright's commands in processes that can be killed: each is forked from this one, which has imported everything.

Run as a process of its own by `support.killing`. Reads one JSON object a line, {"name", "argv", "log", "environment"}, and
writes {"name", "pid"} when that command began and {"name", "code"} when it ended. A command leads a group of its own.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

import prefect.cli
import prefect.workers.process  # noqa: F401

import flows.cli
import flows.commands.run
import flows.promotion
import flows.service.app


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def begin(order: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(order["environment"])
    code = 1
    try:
        if order["argv"][0] == "prefect":
            sys.argv = order["argv"]
            from prefect.cli import app

            app()
            code = 0
        else:
            code = flows.cli.run(order["argv"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    names: dict[int, str] = {}
    rest = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.05)
        if ready:
            read = os.read(0, 65536)
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = begin(order)
                names[pid] = order["name"]
                say(name=order["name"], pid=pid)
        while names:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            say(name=names.pop(pid), code=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()

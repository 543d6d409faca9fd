"""Run with `-m`: says what a process got from its parent, and ends as it is told. For the test of `support.forking`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any


def facts() -> dict[str, Any]:
    shown = {
        name: [
            os.fsdecode(one) for one in Path(f"/proc/self/{name}").read_bytes().split(b"\0") if one
        ]
        for name in ("cmdline", "environ")
    }
    umask = os.umask(0)
    streams: list[Any] = [sys.stdin, sys.stdout, sys.stderr]
    return {
        "argv": sys.argv,
        "name": [__name__, sys.modules["__main__"] is sys.modules[__name__], __spec__.name],
        "environment": dict(os.environ),
        "what others see": [shown["cmdline"], sorted(shown["environ"])],
        "folder": os.getcwd(),
        "search path": sys.path,
        "executable": [sys.executable, sys.prefix, str(sys.flags)],
        "parent": os.getppid(),
        "leads": [os.getpid() == os.getsid(0), os.getpid() == os.getpgid(0)],
        "signals": {s.name: str(signal.getsignal(s)) for s in signal.Signals},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "umask": umask,
        "streams": [
            [s.encoding, s.errors, s.isatty(), s.line_buffering, s.write_through] for s in streams
        ],
        "files": [n for n in map(int, os.listdir("/proc/self/fd")) if n < 3],
        "threads": threading.active_count(),
    }


def main() -> None:
    json.dump(facts(), sys.stdout)
    print("said to stderr", file=sys.stderr)
    how = sys.argv[1]
    if how == "echo":
        print(sys.stdin.read())
    elif how == "raise":
        raise RuntimeError("as it was told")
    elif how == "wait":
        sys.stdout.flush()
        time.sleep(900)
    elif how == "start another":
        import subprocess

        command = [sys.executable, "-m", "support.process_facts", "7"]
        print(subprocess.run(command, stdout=subprocess.DEVNULL).returncode)
    else:
        sys.exit(int(how) if how.isdigit() else how)


if __name__ == "__main__":
    main()

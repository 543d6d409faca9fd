"""One codec reads every record, in however many threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import first_use
from support.paths import child_environment


def test_threads_that_use_a_type_for_the_first_time_at_once_all_read_it() -> None:
    program = [sys.executable, str(Path(first_use.__file__)), "1000"]
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=900, env=child_environment()
    )
    assert (done.returncode, done.stdout.strip()) == (0, f"{1000 * first_use.THREADS} times right")

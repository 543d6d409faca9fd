"""A process that is forked for a test equals one that is begun anew, in what a program sees and what its parent can do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import forking
from support.paths import ROOT, child_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")
COMMAND = [sys.executable, "-m", "support.process_facts"]
PATH, BENCH = child_environment()["PYTHONPATH"], ROOT / "tests" / "bench"
STREAMS: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.fixture
def each_way(request: pytest.FixtureRequest) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Does something with processes that are begun anew, and again with forked ones; both come to the same."""

    def do(act: Callable[[], Any]) -> Any:
        forking.uninstall()
        expected = act()
        forking.install()
        assert act() == expected
        return expected

    yield do
    if request.config.getoption("--exec"):
        forking.uninstall()


def facts(*arguments: str, given: str | None = None, **more: Any) -> dict[str, Any]:
    more = {"env": child_environment(), **STREAMS, **more}
    done = subprocess.run([*COMMAND, *arguments], input=given, **more, timeout=900)
    said, end = json.JSONDecoder().raw_decode(done.stdout)
    return {**said, "rest": done.stdout[end:], "stderr": done.stderr, "code": done.returncode}


def test_a_forked_process_sees_what_one_begun_anew_sees(each_way: Any, tmp_path: Path) -> None:
    environment = child_environment(LETTERS="äö=ü\n", EMPTY="")
    del environment["PATH"]
    seen = each_way(lambda: facts("0", "two words", env=environment, cwd=tmp_path))
    assert seen["argv"][1:] == ["0", "two words"]
    assert seen["environment"] == environment
    assert (seen["folder"], seen["parent"]) == (str(tmp_path), os.getpid())
    assert seen["leads"] == [False, False]
    alone = each_way(lambda: facts("0", start_new_session=True, stdin=subprocess.DEVNULL))
    assert alone["leads"] == [True, True]
    assert each_way(lambda: facts("0", process_group=0))["leads"] == [False, True]


def test_streams_are_its_parents_or_the_files_it_is_given(each_way: Any, tmp_path: Path) -> None:
    assert each_way(lambda: facts("echo", given="said\n"))["rest"] == "said\n\n"

    def into_a_file() -> Any:
        with (tmp_path / "log").open("w+") as log:
            subprocess.run(
                [*COMMAND, "3"], stdout=log, stderr=subprocess.STDOUT, env=child_environment()
            )
            log.seek(0)
            return log.read()

    assert "said to stderr" in each_way(into_a_file)


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("0", 0, ""),
        ("7", 7, ""),
        ("256", 0, ""),
        ("a word", 1, "a word"),
        ("raise", 1, "as it was told"),
    ],
)
def test_it_ends_with_the_same_code_and_words(
    each_way: Any, how: str, code: int, says: str
) -> None:
    def end() -> Any:
        ended = facts(how)
        return ended["code"], ended["stderr"].splitlines()[-1]

    ended = each_way(end)
    assert ended[0] == code
    assert says in ended[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_end_it_and_its_parent_is_told(each_way: Any, number: signal.Signals) -> None:
    def signalled() -> Any:
        with subprocess.Popen([*COMMAND, "wait"], env=child_environment(), **STREAMS) as process:
            assert process.stderr is not None
            process.stderr.readline()
            assert psutil.Process(process.pid).ppid() == os.getpid()
            process.send_signal(number)
            last = process.stderr.read().splitlines()[-1:]
        return process.returncode, last

    assert each_way(signalled) == (-number, ["KeyboardInterrupt"] * (number == signal.SIGINT))


def test_a_file_is_run_as_a_file(each_way: Any, tmp_path: Path) -> None:
    script = tmp_path / "lives.py"  # a name that is forked
    script.write_text("import sys; print(__name__, __file__, sys.argv, sys.path[0]); exit(5)")

    def ran() -> Any:
        done = subprocess.run([sys.executable, script, "a", "b"], cwd=tmp_path, **STREAMS)
        return done.returncode, done.stdout, done.stderr

    assert each_way(ran)[0] == 5


def test_what_it_starts_is_its_own_child_in_turn(each_way: Any) -> None:
    assert each_way(lambda: facts("start another"))["rest"] == "7\n"


@pytest.mark.parametrize(
    "more",
    [
        {"env": child_environment(PYTHONWARNINGS="error")},
        {"env": child_environment(LC_ALL="C")},
        {"env": child_environment(PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS="7")},
        {"env": {**child_environment(), "PYTHONPATH": os.pathsep.join((PATH, str(BENCH)))}},
        {"preexec_fn": os.getpid},
        {"pass_fds": [0]},
        {"umask": 0o77},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_a_fork_would_not_be_equal_to_is_begun_anew(
    each_way: Any, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(forking, "_ask", lambda *order: asked.append(order) or 0)
    each_way(lambda: facts("0", **more))
    assert not asked
    off = child_environment(PREFECT_SERVER_SERVICES_FOREMAN_ENABLED="false")  # is read again
    each_way(lambda: facts("0", env=off))
    assert asked

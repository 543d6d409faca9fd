"""Options and fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from support import forking

if TYPE_CHECKING:
    from support.small_disk import SmallDisk

# Nothing outside loopback is called, so that no authority has to be trusted: reading the hundred and more that a machine
# knows costs every HTTP client 0.03 s, here and in the processes that tests start.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("fixtures") / "nobody.pem")

# Dozens of processes begin here, and without kept bytecode each compiles the project anew, for a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A few examples of each property while one works, Hypothesis's hundred in CI. No deadline: a busy machine must not fail
# a property, and what is slow shows in the benchmarks.
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("thorough", deadline=None, max_examples=100)
settings.load_profile("thorough" if os.environ.get("CI") else "quick")


def _in_memory(folder: Path = Path("/dev/shm"), free_bytes: int = 2_000_000_000) -> bool:
    """Whether the tests' folders may lie there, where a synced file costs nothing and a killed process loses none."""
    if not os.access(folder, os.W_OK) or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(folder).free > free_bytes


if _in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        action="append",
        metavar="PATH",
        default=None,
        help="a further file of statistical reference vectors; may be given several times",
    )
    parser.addoption(
        "--kills",
        type=int,
        metavar="N",
        default=20,
        help="how often the kill test of the whole product kills something",
    )
    parser.addoption(
        "--kill-seed",
        type=int,
        metavar="N",
        default=7,
        help="what chooses what is killed, and when",
    )
    parser.addoption(
        "--exec",
        action="store_true",
        help="begin every process anew instead of forking it from one that has imported everything",
    )


class FailuresAtOnce:
    """Prints each failure when it happens, with its name and the first line of why; tracebacks stand at the end."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = crash.message.splitlines()[:1] if crash else report.longreprtext.splitlines()[-1:]
            self.terminal.write(f"\nFAILED {report.nodeid} ({report.when})\n", red=True)
            self.terminal.write_line("    " + "".join(why))
        self.terminal.flush()  # a log that is not a terminal shows how far we are, too


@pytest.hookimpl(trylast=True)  # after pytest has made its terminal reporter
def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not config.getoption("--exec"):
        forking.install()
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:  # the worker processes of pytest-xdist have none
        config.pluginmanager.register(FailuresAtOnce(terminal))


def pytest_unconfigure() -> None:
    forking.uninstall()
    forking.stop_server()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are cores: the tests that tell a whole story wait for servers now and then."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole stories go first and then files with other slow tests, so that no worker is still half-way through one at the end."""
    marks = {
        name: {item.path for item in items if item.get_closest_marker(name)}
        for name in ("story", "slow")
    }
    items.sort(key=lambda item: (item.path not in marks["story"], item.path not in marks["slow"]))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Modules and tests are there to stay: no collection of garbage needs to look through them (half a second each)."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """What a test or the code it calls sets is set for it alone: a fork would not equal a process begun with other variables."""
    before = dict(os.environ)
    yield
    for name in {**before, **os.environ}:
        if name not in before:
            del os.environ[name]
        elif os.environ.get(name) != before[name] and name != "PYTEST_CURRENT_TEST":
            os.environ[name] = before[name]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A real disk of a megabyte or so, which the test fills and empties."""
    from support.small_disk import small_disk

    with small_disk(tmp_path / "disk") as mounted:
        yield mounted

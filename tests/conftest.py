"""Options and fixtures that every test may use."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A few examples of each property while one works, Hypothesis's hundred in CI. No deadline: a busy machine must not fail
# a property, and what is slow shows in the benchmarks.
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("thorough", deadline=None, max_examples=100)
settings.load_profile("thorough" if os.environ.get("CI") else "quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        action="append",
        metavar="PATH",
        default=None,
        help="a further file of statistical reference vectors; may be given several times",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are cores: the tests that tell a whole story wait for servers half of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole stories go first and then files with other slow tests, so that no worker is still half-way through one at the end."""
    marks = {
        name: {item.path for item in items if item.get_closest_marker(name)}
        for name in ("story", "slow")
    }
    items.sort(key=lambda item: (item.path not in marks["story"], item.path not in marks["slow"]))

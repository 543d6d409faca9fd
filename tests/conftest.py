"""Options and fixtures that every test may use."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A busy machine must not fail a property; what is slow shows in the benchmarks.
settings.register_profile("gatewright", deadline=None)
settings.load_profile("gatewright")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        action="append",
        metavar="PATH",
        default=None,
        help="a further file of statistical reference vectors; may be given several times",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first, so that no worker sits idle at the end while another is half-way through one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)

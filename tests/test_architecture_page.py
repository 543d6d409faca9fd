"""docs/architecture.md names files and rooms that exist, and every room of both packages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def named() -> list[str]:
    """Paths in code style: with a folder in front, or a file of the root."""
    quoted = re.findall(r"`([^`\n]+)`", PAGE)
    return sorted({path for path in quoted if re.match(r"(evals|flows|docs|tests)/", path)})


@pytest.mark.parametrize("path", named())
def test_every_path_of_the_page_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_every_link_of_the_page_leads_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


@pytest.mark.parametrize("package", ["evals", "flows"])
def test_every_room_is_drawn(package: str) -> None:
    drawing = PAGE.split("```text")[1].split("```")[0]
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert [room for room in sorted(rooms) if not re.search(rf"\b{room}\b", drawing)] == []

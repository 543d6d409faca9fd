"""A real browser opens the page: the style applies under its policy, and nothing hostile runs."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from evals.report.write import write_report

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed to open the page with"),
]


@pytest.fixture
def page(hostile: Any, tmp_path: Path) -> Path:
    return write_report(hostile, tmp_path / "run")[0]


def run(page: Path, profile: Path, *flags: str) -> str:
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    return done.stdout


def test_nothing_in_the_page_runs(page: Path, tmp_path: Path) -> None:
    dom = run(page, tmp_path / "profile", "--dump-dom")
    assert "<title>REFUSED" in dom
    assert "<title>owned" not in dom
    assert "<script" not in dom


def test_the_style_applies_under_the_policy(page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    run(page, tmp_path / "profile", f"--screenshot={picture}", "--window-size=900,600")
    assert first_pixel(picture.read_bytes()) == (0xFB, 0xFA, 0xF8)


def test_it_prints(page: Path, tmp_path: Path) -> None:
    paper = tmp_path / "page.pdf"
    run(page, tmp_path / "profile", f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF-")


def first_pixel(png: bytes) -> tuple[int, ...]:
    """Read the top left pixel of a PNG; every row filter leaves the first pixel of the first row as it is."""
    place, data = 8, b""
    while place < len(png):
        (size,), kind = struct.unpack(">I", png[place : place + 4]), png[place + 4 : place + 8]
        if kind == b"IDAT":
            data += png[place + 8 : place + 8 + size]
        place += size + 12
    return tuple(zlib.decompress(data)[1:4])

"""Writes a run's report beside its evidence, in every form, each file whole or not at all."""

from __future__ import annotations

from pathlib import Path

from evals.files import replace_file
from evals.report.facts import RunFacts
from evals.report.formats.html import render_html
from evals.report.formats.json_report import render_json
from evals.report.formats.junit import render_junit
from evals.report.formats.markdown import render_markdown
from evals.report.view import build_view

__all__ = ["write_report"]


def write_report(facts: RunFacts, folder: Path) -> tuple[Path, ...]:
    """Write report.html, report.md, report.junit.xml and report.json into `folder`, which is made when missing.

    Returns:
        the paths, in that order.

    Raises:
        OSError: when the folder can't be written; each file is then whole, either the new one or the one before.
    """
    view = build_view(facts)
    pages = {
        "report.html": render_html(view),
        "report.md": render_markdown(view),
        "report.junit.xml": render_junit(facts, view),
        "report.json": render_json(facts, view),
    }
    for name, text in pages.items():
        replace_file(folder / name, text.encode())
    return tuple(folder / name for name in pages)

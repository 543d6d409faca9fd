"""Writes a run's report beside its evidence, in every form, each file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

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
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_replace(folder / name, text) for name, text in pages.items())


def _replace(path: Path, text: str) -> Path:
    """Write beside the target and rename, so that a reader never sees half a file."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path

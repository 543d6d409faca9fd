"""The report as one HTML file: no script, nothing loaded from elsewhere, and a policy that forbids both."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from evals.report.view import ReportView

__all__ = ["content_security_policy", "render_html"]


def render_html(view: ReportView) -> str:
    """Return the whole page. Everything that comes from the run is escaped by the template engine."""
    style = _style()
    page: str = _template().render(
        view=view,
        style=Markup(style),  # noqa: S704 our own file, and no text of a run
        policy=content_security_policy(style),
    )
    return page


def content_security_policy(style: str) -> str:
    """Return a policy under which a browser applies exactly this style sheet, and runs and loads nothing."""
    found = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{found}'; img-src data:; base-uri 'none'; form-action 'none'"


def _style() -> str:
    return files("evals.report.formats").joinpath("report.css").read_text(encoding="utf-8")


@cache
def _template() -> Template:
    source = files("evals.report.formats").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = _breakable
    return environment.from_string(source)


def _breakable(text: str) -> Markup:
    """Escape, and let long names break after their own joints instead of in the middle of a word."""
    safe = escape(text)
    for joint in (Markup("_"), Markup("."), Markup("/")):
        safe = safe.replace(joint, joint + Markup("<wbr>"))
    return safe

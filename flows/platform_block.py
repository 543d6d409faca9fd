"""The block of its platform in a target file: what does not fit is named with file and line, like the rest of the file."""

from __future__ import annotations

from pathlib import Path

from evals.authored import Authored, load_yaml
from evals.errors import ConfigurationError, Problem
from flows.platforms.opening import check_options
from flows.target import Target

__all__ = ["require_platform"]


def require_platform(target: Target) -> None:
    """Raise ConfigurationError with every problem of the platform's block of a target."""
    try:
        check_options(target.platform, target.options)
    except ConfigurationError as error:
        authored = load_yaml(Path(target.path))
        problems = [_in_file(target, authored, problem) for problem in error.problems]
        raise ConfigurationError(problems) from error


def _in_file(target: Target, authored: Authored, problem: Problem) -> Problem:
    field = ".".join(filter(None, (target.platform, problem.field)))
    return Problem(
        where=target.path,
        line=authored.line(field),
        field=field,
        message=problem.message,
        fix=problem.fix,
    )

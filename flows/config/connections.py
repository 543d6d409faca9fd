"""What a target file connects to: the platform its block describes, and the publishers it names.

Options that do not fit are reported with file and line, like the rest of the file.
"""

from __future__ import annotations

import os
from pathlib import Path

from evals.config.documents import Authored, load_yaml
from evals.errors import ConfigurationError, Problem
from flows.config.target import Target
from flows.platforms.base import HostingPlatform
from flows.platforms.table import check_options, open_platform
from flows.publishers.base import Publisher
from flows.publishers.table import build_publishers
from flows.settings import Settings

__all__ = ["platform_of", "publishers_of", "require_platform"]


def platform_of(target: Target) -> HostingPlatform:
    """Open the platform of a target, with the credentials of the environment. To be closed by `aclose`.

    Raises ConfigurationError with every problem of the platform's block, and asks nothing of the network.
    """
    require_platform(target)
    return open_platform(target.platform, target.options, os.environ)


def publishers_of(settings: Settings, target: Target) -> tuple[Publisher, ...]:
    """Make the publishers a target names. Relative paths start at the folder above the home."""
    return build_publishers(
        list(target.publish), target=target.name, root=settings.home.parent, where=target.path
    )


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

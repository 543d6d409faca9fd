"""Sealed suites: to whom their cases, answers and single results are shown.

`sealed: true` in a suite.yaml hides them from everybody but the `approvers` of the targets that use the suite. Who somebody is
comes from GATEWRIGHT_ACTOR, or from the service's sign-in; the files on disk are as readable as their permissions let them be.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from evals.cases.suite_file import Suite
from evals.errors import ConfigurationError, RefusedError
from evals.people import is_among
from flows.config.target import load_target, target_names

__all__ = ["UNSEALED", "may_see", "may_see_run", "require_may_see"]

UNSEALED = "unsealed"
"""Folder, within a run's, of the report that shows the cases of sealed suites."""


def may_see(targets: Path, suite: Suite, actor: str | None) -> bool:
    """Say whether a person may see single cases of a suite; everybody may, unless it is sealed."""
    return not suite.sealed or (
        actor is not None and is_among(actor, _approvers(targets, suite.name))
    )


def may_see_run(targets: Path, target: str, actor: str | None) -> bool:
    """Say whether a person may see single cases of the sealed suites in a target's runs."""
    try:
        return actor is not None and is_among(actor, load_target(targets, target).approvers)
    except ConfigurationError:  # whoever a broken file would name is not taken for one
        return False


def require_may_see(targets: Path, suite: Suite, actor: str | None) -> None:
    """Raise RefusedError where `may_see` says no."""
    if not may_see(targets, suite, actor):
        raise RefusedError(
            f"{suite.name} is sealed: its cases are shown only to the 'approvers' of a target that uses it, and"
            f" {actor or 'nobody that is known'} is none of them"
        )


def _approvers(targets: Path, suite: str) -> set[str]:
    found: set[str] = set()
    for name in target_names(targets):
        with suppress(ConfigurationError):
            target = load_target(targets, name)
            if suite in target.suites:
                found.update(target.approvers)
    return found

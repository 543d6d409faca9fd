"""Forgets kept answers that no target would reuse any more: they saved money once, and would only take room now."""

from __future__ import annotations

from evals.gate.policy import parse_duration
from evals.records import Record
from evals.sampling.response_store import ResponseStore
from flows.config.target import load_target, target_names
from flows.settings import Settings

__all__ = ["PruneOutcome", "prune_answers", "reuse_age_s"]


class PruneOutcome(Record, frozen=True, kw_only=True):
    """How many kept answers were removed, or would be when `dry_run`: those older than `older_than_s` seconds."""

    answers: int
    older_than_s: int
    dry_run: bool


def prune_answers(settings: Settings, *, dry_run: bool = False) -> PruneOutcome:
    """Remove the answers that are older than any target reuses; all of them when none reuses any. Safe to repeat.

    Raises ConfigurationError when a target file has problems: what it reuses can't be told then.
    """
    older_than_s = reuse_age_s(settings)
    folder, count = settings.home / "responses", 0
    if folder.is_dir():
        with ResponseStore(folder) as store:
            count = store.older_than(older_than_s) if dry_run else store.prune(older_than_s)
    return PruneOutcome(answers=count, older_than_s=older_than_s, dry_run=dry_run)


def reuse_age_s(settings: Settings) -> int:
    """Return the greatest age in seconds at which some target still takes a stored answer; 0 when none does."""
    targets = (load_target(settings.targets, name) for name in target_names(settings.targets))
    ages = (one.sampling.get("reuse_baseline") for one in targets)
    return max((parse_duration(age) for age in ages if age is not None), default=0)

"""What changed since a run was judged, of all that a person's answer to it is bound to besides its gate."""

from __future__ import annotations

from evals.suites.cache import open_kept_suite
from flows.config.recorded_target import plain_target, serving_change
from flows.config.target import load_target
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["changed_since_verdict"]


def changed_since_verdict(settings: Settings, registry: Registry, run: RunRecord) -> str:
    """Return what changed in suites, or in where the target's models answer, since the verdict; empty for nothing.

    Raises ConfigurationError when the target or one of its suites has problems.
    """
    target, kept = load_target(settings.targets, run.target), registry.judged_by(run.run_id)
    if kept is not None and kept.target is not None:
        part = serving_change(kept.target, plain_target(target))
        if part:
            return f"the target's {part} was changed since the verdict"
    fingerprints = kept.fingerprints if kept is not None else run.fingerprints
    if not fingerprints:  # a run of before it was kept
        return ""
    found = {name: open_kept_suite(settings.datasets / name).fingerprint for name in target.suites}
    changed = (
        name
        for name in dict.fromkeys((*fingerprints, *found))
        if fingerprints.get(name) != found.get(name)
    )
    name = next(changed, None)
    return f"suite {name} was changed since the verdict" if name is not None else ""

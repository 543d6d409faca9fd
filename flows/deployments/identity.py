"""The names and tags by which our own deployments are known again: whose they are, and which run made them.

Names are derived from the run, so that after a crash the same step finds what it created before. A platform adds the tag
`gatewright` itself, with the slot as its value; all other tags are made here.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from evals.records import LivePointer
from flows.platforms.base import RUN_TAG, Deployment, SlotSpec
from flows.registry.records import RunRecord

__all__ = [
    "as_recorded",
    "attempt_generation",
    "attempt_id",
    "belongs_to",
    "deployment_name",
    "own_tags",
    "run_of",
    "slot_name",
]

_TARGET, _ROLE = "gatewright-target", "gatewright-role"
_EVIDENCE = "gatewright-evidence"
_ATTEMPT = re.compile(r"(?:rollback|repair)-(\d+)")


def deployment_name(target: str, run_id: str) -> str:
    """Return the production name a run deploys under: at most 64 of letters, digits and '-', always the same."""
    slug = re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-")[:40] or "model"
    return f"{slug}-{hashlib.sha256(f'{target}/{run_id}'.encode()).hexdigest()[:12]}"


def slot_name(record: RunRecord, place: int | None = None) -> str:
    """Return the name of a run's developer deployment; of a selection, that of the candidate at a place of the field."""
    stem = record.run_id.rpartition("-")[2]
    return f"gw-{record.target[:36]}-{stem}{'' if place is None else f'-{place + 1}'}-dev"


def attempt_id(kind: Literal["rollback", "repair"], generation: int) -> str:
    """Return what a rollback or a repair begun at a generation deploys for, in place of a run's id."""
    return f"{kind}-{generation}"


def attempt_generation(run_id: str) -> int | None:
    """Return the generation in an `attempt_id`, None for the id of a run."""
    found = _ATTEMPT.fullmatch(run_id)
    return int(found[1]) if found else None


def own_tags(
    target: str, run_id: str, role: Literal["candidate", "production"], *, evidence: str = ""
) -> dict[str, str]:
    """Return the tags of a deployment; `evidence` is the digest of what it was judged on, "" before it is judged."""
    tags = {"gatewright": target, _TARGET: target, RUN_TAG: run_id, _ROLE: role}
    return {**tags, _EVIDENCE: evidence} if evidence else tags


def as_recorded(name: str, pointer: LivePointer, slot: SlotSpec) -> Deployment:
    """Return a deployment that is gone as the registry remembers it, so that it can be made again."""
    return Deployment(
        name=name,
        model_id=pointer.model_id,
        state="unknown",
        slot="production",
        sku=slot.sku,
        capacity=slot.capacity,
        tags=own_tags(pointer.target, pointer.run_id or "", "production"),
    )


def belongs_to(deployment: Deployment, target: str) -> bool:
    """Say whether Gatewright made a deployment for this target."""
    return "gatewright" in deployment.tags and deployment.tags.get(_TARGET) == target


def run_of(deployment: Deployment) -> str:
    """Return the id of the run that made a deployment, "" when it does not say."""
    return deployment.tags.get(RUN_TAG, "")

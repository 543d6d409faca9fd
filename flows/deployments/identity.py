"""The tags by which our own deployments are known again: whose they are, and which run made them on which evidence.

A platform adds the tag `gatewright` itself, with the slot as its value; everything else is said here.
"""

from __future__ import annotations

from typing import Literal

from flows.platforms.base import Deployment

__all__ = ["belongs_to", "own_tags", "run_of"]

_TARGET, _RUN, _ROLE = "gatewright-target", "gatewright-run", "gatewright-role"
_EVIDENCE = "gatewright-evidence"


def own_tags(
    target: str, run_id: str, role: Literal["candidate", "production"], *, evidence: str = ""
) -> dict[str, str]:
    """Return the tags of a deployment; `evidence` is the digest of what it was judged on, "" before it is judged."""
    tags = {"gatewright": target, _TARGET: target, _RUN: run_id, _ROLE: role}
    return {**tags, _EVIDENCE: evidence} if evidence else tags


def belongs_to(deployment: Deployment, target: str) -> bool:
    """Say whether Gatewright made a deployment for this target."""
    return "gatewright" in deployment.tags and deployment.tags.get(_TARGET) == target


def run_of(deployment: Deployment) -> str:
    """Return the id of the run that made a deployment, "" when it does not say."""
    return deployment.tags.get(_RUN, "")

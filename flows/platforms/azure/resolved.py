"""A deployment of a checkpoint may be shown under the name of the model that the service made of it.

What was asked for is `ftchkpt-…`; what is shown may be `<model>:ckpt-step-90`, or the model of its job. Our own tags
tell that the two are one: the checkpoint's id is written with the request that creates the deployment, the name that
was shown then is added once it is known to be that of the checkpoint. A deployment is ours under both names only while
it shows this very name: with whatever other model somebody puts there, it shows another.
"""

from __future__ import annotations

from collections.abc import Mapping

from flows.platforms.base import Deployment
from flows.platforms.fine_tuning.records import Job, JobCheckpoint
from flows.platforms.model_names import is_checkpoint_id, is_fine_tuned, same_id

__all__ = [
    "MODEL_TAG",
    "RESOLVED_TAG",
    "asked_for",
    "checkpoint_tags",
    "id_shown_as",
    "resolves_to",
]

MODEL_TAG = "gatewright-model"
"""The id that the deployment was asked for."""
RESOLVED_TAG = "gatewright-resolved"
"""The name under which it was shown."""


def checkpoint_tags(model_id: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a request that deploys `model_id`: none that speak of another model."""
    others = {key: value for key, value in tags.items() if key not in (MODEL_TAG, RESOLVED_TAG)}
    return {**others, MODEL_TAG: model_id} if is_checkpoint_id(model_id) else others


def id_shown_as(shown: str, tags: Mapping[str, str]) -> str:
    """Return the id behind the name that a deployment of ours is shown under: that name itself, unless its tags say more."""
    asked, resolved = tags.get(MODEL_TAG), tags.get(RESOLVED_TAG)
    return asked if asked and resolved and same_id(shown, resolved) else shown


def asked_for(deployment: Deployment, model_id: str) -> bool:
    """Say whether a request of ours for this checkpoint made the deployment, whatever name it shows."""
    asked = deployment.tags.get(MODEL_TAG)
    return "gatewright" in deployment.tags and asked is not None and same_id(asked, model_id)


def resolves_to(shown: str, known: tuple[Job, JobCheckpoint] | None, *, certain: bool) -> bool:
    """Say whether `shown` may be the name of a checkpoint, of which the jobs tell `known`.

    `certain`: what stands was asked for just now. Else only the checkpoint's own name will do, as its job lists it.
    """
    if known is None:
        return certain and is_fine_tuned(shown) and not is_checkpoint_id(shown)
    job, checkpoint = known
    names = (checkpoint.model_id, job.model_id if certain else None)
    return any(name is not None and same_id(shown, name) for name in names)

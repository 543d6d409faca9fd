"""Stored documents: one mutable record for each kind of thing, kept by `store.Store`.

Times are seconds of the emulator's own clock (Unix epoch, advanced by tests). A document's `id` is unique in its kind.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = [
    "Checkpoint",
    "Deployment",
    "Document",
    "Event",
    "Flavour",
    "Job",
    "MintedToken",
    "ModelRef",
    "Operation",
    "Outgoing",
    "Prior",
    "StoredFile",
    "Tombstone",
    "TunedModel",
    "WebhookEndpoint",
]

Flavour = Literal["azure", "openai"]


class Document(msgspec.Struct, kw_only=True):
    """Base of everything stored."""

    id: str


class StoredFile(Document, kw_only=True):
    """An uploaded file; its bytes lie beside the database under `files/<id>`."""

    account: str
    flavour: Flavour
    filename: str
    purpose: str
    bytes: int
    created_at: float
    digest: str


class Event(msgspec.Struct, kw_only=True):
    """One event of a fine-tuning job."""

    id: str
    created_at: float
    message: str
    level: Literal["info", "warn", "error"] = "info"
    type: Literal["message", "metrics"] = "message"
    data: dict[str, Any] | None = None


class Job(Document, kw_only=True):
    """A fine-tuning job. `base` carries its version; `method` is the body's method type."""

    account: str
    flavour: Flavour
    created_at: float
    base: str
    training_file: str
    validation_file: str | None = None
    suffix: str | None = None
    seed: int = 0
    method: str = "supervised"
    hyperparameters: dict[str, Any] = msgspec.field(default_factory=dict)
    metadata: dict[str, str] | None = None
    training_type: str | None = None
    integrations: list[dict[str, Any]] = msgspec.field(default_factory=list)
    status: str = "pending"
    status_since: float = 0.0
    resume_to: str | None = None
    finished_at: float | None = None
    tuned_model: str | None = None
    trained_tokens: int | None = None
    error: dict[str, Any] | None = None
    result_files: list[str] = msgspec.field(default_factory=list)
    events: list[Event] = msgspec.field(default_factory=list)


class TunedModel(Document, kw_only=True):
    """A trained model, or one of its checkpoints (then `step` is set); weights lie under `models/<artifact>`."""

    account: str
    flavour: Flavour
    base: str
    job: str
    artifact: str
    created_at: float
    step: int | None = None


class Checkpoint(Document, kw_only=True):
    """A checkpoint of a job; `model` is the id of the TunedModel that it names."""

    job: str
    model: str
    artifact: str
    step: int
    created_at: float
    metrics: dict[str, float]


class ModelRef(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`properties.model` of a deployment."""

    format: str
    name: str
    version: str | None = None
    source: str | None = None
    sourceAccount: str | None = None  # noqa: N815 - the wire's own spelling
    publisher: str | None = None


class Deployment(Document, kw_only=True):
    """A deployment; its provisioning state follows from `phase`, `settles_at` and the clock."""

    account: str
    name: str
    sku: str
    capacity: int
    model: ModelRef
    properties: dict[str, Any]
    tags: dict[str, str]
    created_at: float
    created_by: str
    modified_at: float
    modified_by: str
    etag: str
    operation: str
    settles_at: float
    serves_at: float
    phase: Literal["creating", "updating", "deleting"] = "creating"
    outcome: Literal["Succeeded", "Failed", "Canceled"] = "Succeeded"
    previous: ModelRef | None = None
    stale: ModelRef | None = None
    stale_until: float = 0.0
    paused: bool = False
    resumed_at: float = -1e9
    last_used_at: float = 0.0
    busy_until: float = 0.0


class Operation(Document, kw_only=True):
    """A long-running operation of the control plane, polled at Azure-AsyncOperation or Location."""

    kind: Literal["put", "patch", "delete"]
    deployment: str
    resource_id: str
    started_at: float
    settles_at: float
    outcome: Literal["Succeeded", "Failed", "Canceled"] = "Succeeded"
    error: dict[str, Any] | None = None


class Tombstone(Document, kw_only=True):
    """A removed deployment: it holds its quota for a while, and its model may still be served."""

    account: str
    name: str
    model: ModelRef
    sku: str
    capacity: int
    gone_at: float
    reason: str


class WebhookEndpoint(Document, kw_only=True):
    """A receiver of an account's events."""

    account: str
    url: str
    event_types: list[str]
    secret: str


class Outgoing(Document, kw_only=True):
    """A webhook that still has to be delivered; `id` is its webhook-id plus a mark for intended duplicates."""

    endpoint: str
    webhook_id: str
    body: str
    due_at: float
    first_at: float
    attempts: int = 0


class MintedToken(Document, kw_only=True):
    """A bearer token that the emulator gave out; `roles` maps a scope prefix ('*' = everywhere) to a role's name."""

    audience: str
    tenant: str
    expires_at: float
    roles: dict[str, str]
    name: str = "someone@embedded.example"


class Prior(Document, kw_only=True):
    """How often each answer was seen for a system prompt in uploaded training files: all that the base model knows."""

    account: str
    prompt: str
    fields: dict[str, dict[str, int]]
    texts: dict[str, int]

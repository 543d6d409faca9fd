"""All that a platform offers: what each one has to (`HostingPlatform`), what it may besides, and the records in between.

A new platform is a module with a class that has the methods of `HostingPlatform`, a `PlatformKind` that opens it, and one
entry in `flows.platforms.table`. Protocols that begin with a verb are abilities: a platform has one by having its methods.

Deploying, waiting and deleting are idempotent: a process killed in the middle calls them again with the same name and
finds what it left. Azure's words stay inside its own folder; here a slot has a `sku` and a `capacity`, no more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

import msgspec

from evals.records import Candidate, Endpoint, Price, Record, Slot

if TYPE_CHECKING:
    from flows.platforms.data_plane import DataPlane

__all__ = [
    "AuthHeaders",
    "BillsByTheHour",
    "Connection",
    "Deployment",
    "Finding",
    "FindsAnsweringModels",
    "HostingPlatform",
    "PausesDeployments",
    "Platform",
    "PlatformKind",
    "ReplaceOutcome",
    "ReplacesModels",
    "ServesByModelId",
    "SlotSpec",
    "SpeaksOpenAI",
    "TellsOfPausing",
    "TriggerRef",
]

AuthHeaders = Callable[[], Awaitable[Mapping[str, str]]]
"""Fresh request headers that authenticate; called for each batch of requests, so that tokens can be renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An endpoint together with the way to authenticate to it; `answers_as` is what its model called itself, if it was asked."""

    endpoint: Endpoint
    auth: AuthHeaders
    answers_as: str = ""


class SlotSpec(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a target asks of a slot; `capacity` is in the platform's unit (1,000 tokens a minute on Azure)."""

    slot: Slot
    sku: str = ""
    capacity: int = 1


class Deployment(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A model standing in a slot, as the control plane tells it.

    `shown_as` is the name it shows there where that is another one of the model `model_id`.
    """

    name: str
    model_id: str
    state: Literal["creating", "ready", "failed", "deleting", "paused", "unknown"]
    slot: Slot
    sku: str = ""
    capacity: int = 0
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    created_at: str | None = None
    shown_as: str = ""


class Finding(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a preflight: what was looked at, how it stands, and what to do when it does not.

    `outside` marks trouble of something else than what the user wrote: trying again later may help.
    """

    name: str
    level: Literal["ok", "warn", "fail"]
    message: str
    fix: str = ""
    outside: bool = False


class TriggerRef(Record, frozen=True, kw_only=True, omit_defaults=True):
    """How a candidate is named by whoever triggers: by one of the first three, or a checkpoint together with its job.

    `base_model` says what it was trained on, for candidates of which no list tells.
    """

    job_id: str | None = None
    model_id: str | None = None
    checkpoint: str | None = None
    base_model: str | None = None


class Platform(Protocol):
    """A host of models. Every method raises PlatformError (or CredentialError) and nothing of the transport's own."""

    @property
    def name(self) -> str: ...

    async def resolve(self, ref: TriggerRef, *, target: str) -> Candidate:
        """Name the model behind a job, model or checkpoint id. Raises RefusedError when it is not finished or unknown."""
        ...

    async def reach(self) -> Finding | None:
        """Return what is wrong when nothing listens where the platform should answer; a few seconds, no retries."""
        ...

    async def preflight(
        self, candidate: Candidate, slots: tuple[SlotSpec, ...]
    ) -> tuple[Finding, ...]:
        """Look at everything that could stop a run, before money is spent. Never raises for what it can report."""
        ...

    async def deploy(
        self, name: str, model_id: str, slot: SlotSpec, *, tags: Mapping[str, str]
    ) -> Deployment:
        """Make `model_id` stand under `name` and wait until the control plane says so; what already stands is kept."""
        ...

    async def wait_ready(self, deployment: Deployment) -> Connection:
        """Return the connection once the data plane really answers with the asked model."""
        ...

    def connect(self, name: str, model_id: str, slot: Slot) -> Connection:
        """Return the connection to a standing deployment without asking anything."""
        ...

    async def get(self, name: str) -> Deployment | None:
        """Return the deployment as the control plane sees it, None when there is none."""
        ...

    async def list_deployments(self) -> tuple[Deployment, ...]:
        """Return every deployment of the account, ours and others'; ours carry the tag 'gatewright'."""
        ...

    async def delete(self, name: str) -> None:
        """Delete and wait until it is gone; deleting what is not there is no error."""
        ...

    def price(self, model_id: str, base_model: str | None = None) -> Price | None:
        """Return the price of a model, None when it is not known."""
        ...

    async def aclose(self) -> None: ...


class SpeaksOpenAI(Protocol):
    """A platform with a data plane in the OpenAI style, for its models, files and fine-tuning jobs."""

    @property
    def data(self) -> DataPlane: ...


class HostingPlatform(Platform, SpeaksOpenAI, Protocol):
    """What every platform is: `flows.platforms.table.open_platform` returns one."""


@runtime_checkable
class ServesByModelId(Protocol):
    """A platform where a model answers under its own id: deployment names mean nothing to it, nothing is created."""

    async def offers(self, model_id: str) -> bool:
        """Say whether a model is there and has not been shut down."""
        ...


@runtime_checkable
class FindsAnsweringModels(Protocol):
    """A platform that knows where a model answers already, before anything is deployed for it."""

    async def answering(
        self, model_id: str, *, live: str | None = None
    ) -> tuple[DataPlane, Connection] | None:
        """Return how to ask the model where it answers now, None when it stands nowhere.

        What others deployed is left alone, except for the deployment named `live`: an answer may cost them.
        """
        ...


class ReplaceOutcome(Protocol):
    """A replace that went well; `downtime_s` is how long nothing answered, in seconds, 0 for a change in place."""

    @property
    def deployment(self) -> Deployment: ...
    @property
    def connection(self) -> Connection: ...
    @property
    def downtime_s(self) -> float: ...


@runtime_checkable
class ReplacesModels(Protocol):
    """A platform that can put another model under a deployment name that applications know.

    `expected_replace_s` is least and most seconds without an answer where that needs a deletion.
    """

    expected_replace_s: tuple[float, float]

    def changes_in_place(self, standing: Deployment, model_id: str, slot: SlotSpec) -> bool:
        """Say whether the standing deployment can get the model while it goes on answering."""
        ...

    async def replace(
        self,
        name: str,
        model_id: str,
        slot: SlotSpec,
        *,
        tags: Mapping[str, str],
        previous: Deployment | None = None,
        gapless: bool = False,
    ) -> ReplaceOutcome:
        """Put `model_id` under `name`; `previous` is what stood there when a killed try began.

        When `gapless`, what is not to be had in place is refused. What fails leaves the previous model there.
        """
        ...


@runtime_checkable
class PausesDeployments(Protocol):
    """A platform where a deployment can stand without answering; deploying it again resumes it."""

    async def pause(self, name: str) -> None: ...


@runtime_checkable
class TellsOfPausing(Protocol):
    """A platform that can say beforehand whether pausing will go well."""

    async def pausing(self, slot: SlotSpec) -> Finding | None:
        """Return a warning where deployments of such a slot can't be paused or resumed, None when that can't be told."""
        ...


@runtime_checkable
class BillsByTheHour(Protocol):
    """A platform that knows which slots cost by the hour besides their tokens; without it every slot with a SKU does."""

    def billed_by_the_hour(self, model_id: str, slot: SlotSpec) -> bool: ...


class PlatformKind(NamedTuple):
    """How a platform is opened, and what is known of it before.

    `open` takes the platform's block of a target file and the environment; `check` reads the block and raises
    ConfigurationError with every key that does not fit. `needs_deployment` is False where a model answers under its own
    id: then slots have no SKU, and there is no name to keep.
    """

    open: Callable[[Mapping[str, Any], Mapping[str, str]], HostingPlatform]
    check: Callable[[Mapping[str, Any]], object]
    needs_deployment: bool = True

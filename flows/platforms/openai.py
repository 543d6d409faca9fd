"""OpenAI, and any server that speaks its API: a fine-tuned model is callable by its id, so a slot is only a pointer.

Nothing is created when a model is deployed: it is looked up, its shutdown date is read, and the first answer is awaited.
What slots exist is known to the registry, not here; `get` and `list_deployments` tell what this object has deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import msgspec

from evals.addresses import checked, http_options, plain_address
from evals.codec import convert
from evals.errors import (
    ConfigurationError,
    CredentialError,
    GatewrightError,
    PlatformError,
    Problem,
    nearest,
)
from evals.records import Candidate, Endpoint, Price, Record, Slot
from flows.platforms.asking.readiness import probe_until_ready
from flows.platforms.base import Connection, Deployment, Finding, PlatformKind, SlotSpec, TriggerRef
from flows.platforms.data_plane import SDK_CLIENT, DataPlane, missing_credential
from flows.platforms.deadlines import Deadline, PollingPace
from flows.platforms.findings import price_finding
from flows.platforms.fine_tuning.candidates import known_model, resolve_candidate
from flows.platforms.last_days import LastDays
from flows.platforms.model_lifetimes import ModelDates, lifetime_problems
from flows.platforms.prices import PriceTable
from flows.platforms.reachability import unreachable
from flows.platforms.shutdowns import Shutdowns

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["OPENAI", "OpenAIOptions", "OpenAIPlatform", "read_openai_options"]

_PUBLIC = "https://api.openai.com/v1"


class OpenAIOptions(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The target file's block `openai`. `key_variable` names the environment variable that holds the key.

    `key_variable: none` sends no key, for servers that ask for none. `prices` overrides the price table,
    `lifetimes` the dates of models. `ready_within_s` is how long a model may take to answer before a run gives up, 20 minutes when left out.
    """

    base_url: str = _PUBLIC
    key_variable: str = "OPENAI_API_KEY"
    organization: str | None = None
    project: str | None = None
    prices: dict[str, Price] = msgspec.field(default_factory=dict)
    lifetimes: dict[str, ModelDates] = msgspec.field(default_factory=dict)
    ready_within_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


class OpenAIPlatform:
    """The OpenAI API. `env` holds the key; it is read when the first request is made."""

    def __init__(
        self, options: OpenAIOptions, env: Mapping[str, str], *, pace: PollingPace | None = None
    ) -> None:
        self._options, self._env = options, env
        self._pace = (pace or PollingPace()).within(ready=options.ready_within_s)
        self._prices = PriceTable("openai", options.prices)
        self._standing: dict[str, Deployment] = {}
        self._plane = DataPlane(
            options.base_url, self._make, self._headers, credential=options.key_variable
        )
        # eu.api.openai.com and its like are OpenAI's, too
        vendor = f".{urlsplit(options.base_url).hostname}".endswith(".api.openai.com")
        self._shutdowns = Shutdowns(self, options.lifetimes, vendor=vendor)

    @property
    def name(self) -> str:
        """The platform's name in target files."""
        return "openai"

    @property
    def data(self) -> DataPlane:
        """The API, for fine-tuning jobs and files."""
        return self._plane

    async def resolve(self, ref: TriggerRef, *, target: str) -> Candidate:
        """Name the model behind a job, model or checkpoint id. Raises RefusedError when it is not finished or unknown."""
        return await resolve_candidate(self, ref, target=target, deploys_checkpoint_ids=False)

    async def reach(self) -> Finding | None:
        """Return what is wrong when nothing listens at the API's address."""
        return await unreachable([self._options.base_url], fix=self._plane.absent)

    async def preflight(
        self, candidate: Candidate, slots: tuple[SlotSpec, ...]
    ) -> tuple[Finding, ...]:
        """Report on the key, the model, its shutdown date and its price."""
        try:
            model = await known_model(self, candidate.model_id)
        except CredentialError as error:
            return (_failed("credentials", error, "set the key"),)
        except GatewrightError as error:
            return (_failed("service", error, "check base_url and the network"),)
        found = [Finding(name="credentials", level="ok", message="the key is accepted")]
        if model is None:
            message = f"{candidate.model_id} is not known at {self._options.base_url}"
            fix = "check the id and that the key belongs to the organisation that owns the model"
            return (*found, Finding(name="model", level="fail", message=message, fix=fix))
        found.append(Finding(name="model", level="ok", message=f"{candidate.model_id} is there"))
        found += await self._shutdowns.findings(model, candidate)
        found.append(price_finding(self.price(candidate.model_id, candidate.base_model), candidate))
        return tuple(found)

    async def deploy(
        self, name: str, model_id: str, slot: SlotSpec, *, tags: Mapping[str, str]
    ) -> Deployment:
        """Check that the model exists and is not shut down, and remember the name; nothing is created."""
        model = await known_model(self, model_id)
        if model is None:
            raise PlatformError(
                f"could not deploy {name}: there is no model {model_id} at {self._options.base_url}",
                status=404,
                code="model_not_found",
                hint="check the id and that the key belongs to the organisation that owns the model",
                lasting=True,
            )
        ended = await self._shutdowns.ended(model, model_id)
        if ended is not None:
            raise PlatformError(
                f"could not deploy {name}: {model_id} was shut down on {ended}",
                code="ModelShutDown",
                lasting=True,
                hint=self._shutdowns.instead(model_id),
            )
        self._standing[name] = Deployment(
            name=name,
            model_id=model_id,
            state="ready",
            slot=slot.slot,
            capacity=slot.capacity,
            tags={**tags, "gatewright": slot.slot},
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return self._standing[name]

    async def wait_ready(self, deployment: Deployment) -> Connection:
        """Ask the model until it answers; `model_not_found` is normal for some minutes after training."""
        connection = self.connect(deployment.name, deployment.model_id, deployment.slot)
        async with Deadline(self._pace.ready, f"{deployment.model_id} to answer") as deadline:
            await probe_until_ready(self._plane, connection, pace=self._pace, deadline=deadline)
        return connection

    def connect(self, name: str, model_id: str, slot: Slot) -> Connection:
        """Return the connection: the model's id is what goes into the request, whatever the slot is called."""
        endpoint = Endpoint(
            base_url=plain_address(self._options.base_url),
            model=model_id,
            model_id=model_id,
            slot=slot,
        )
        return Connection(endpoint=endpoint, auth=self._headers)

    async def get(self, name: str) -> Deployment | None:
        """Return what this object has deployed under the name, None otherwise: the service keeps no names."""
        return self._standing.get(name)

    async def offers(self, model_id: str) -> bool:
        """Say whether a model is there and was not shut down: all that can be known where names are not kept."""
        model = await known_model(self, model_id)
        return model is not None and await self._shutdowns.ended(model, model_id) is None

    async def last_days(
        self, model_id: str, base_model: str | None = None, *, ask: bool = True
    ) -> LastDays:
        """Return until when a model answers: by its `shutdown_date`, its base's, or what is published."""
        model = await known_model(self, model_id) if ask else None
        return await self._shutdowns.last_days(model, model_id, base_model, ask=ask)

    async def answering(
        self, model_id: str, *, live: str | None = None
    ) -> tuple[DataPlane, Connection] | None:
        """Return how to ask the model: it answers under its own id, with nothing deployed."""
        return self._plane, self.connect(model_id, model_id, "production")

    async def list_deployments(self) -> tuple[Deployment, ...]:
        """Return what this object has deployed."""
        return tuple(self._standing.values())

    async def delete(self, name: str) -> None:
        """Forget the name. The model itself is never deleted."""
        self._standing.pop(name, None)

    def price(self, model_id: str, base_model: str | None = None) -> Price | None:
        """Return the price of a model, None when it is not known."""
        return self._prices.price(model_id, base_model)

    async def aclose(self) -> None:
        """Close the client."""
        await self._plane.aclose()

    def _key(self) -> str | None:
        variable = self._options.key_variable
        if variable == "none":
            return None
        key = self._env.get(variable)
        if not key:
            raise missing_credential(
                "OpenAI", variable, "set it to an API key of the project that owns the model"
            )
        return key

    def _make(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        return AsyncOpenAI(
            base_url=self._options.base_url,
            http_client=DefaultAsyncHttpxClient(
                **SDK_CLIENT, **http_options(self._options.base_url)
            ),
            api_key=self._key() or "none",
            organization=self._options.organization,
            project=self._options.project,
        )

    async def _headers(self) -> Mapping[str, str]:
        key = self._key()
        chosen = {
            "OpenAI-Organization": self._options.organization,
            "OpenAI-Project": self._options.project,
            "Authorization": f"Bearer {key}" if key else None,
        }
        return {header: value for header, value in chosen.items() if value}


def read_openai_options(options: Mapping[str, Any], *, where: str = "openai") -> OpenAIOptions:
    """Read the block. Raises ConfigurationError naming what does not fit."""
    valid = OpenAIOptions.__struct_fields__
    problems = [
        Problem(where=where, field=key, message="unknown key", fix=nearest(key, valid))
        for key in options
        if key not in valid
    ]
    problems += lifetime_problems(options.get("lifetimes") or {}, where)
    if problems:
        raise ConfigurationError(problems)
    try:
        read = convert(dict(options), OpenAIOptions)
    except msgspec.ValidationError as error:
        raise ConfigurationError(Problem(where=where, message=str(error))) from error
    checked(read.base_url, where=where, field="base_url")
    return read


def _failed(name: str, error: GatewrightError, fix: str) -> Finding:
    return Finding(name=name, level="fail", message=str(error), fix=fix)


def _open(options: Mapping[str, Any], env: Mapping[str, str]) -> OpenAIPlatform:
    return OpenAIPlatform(read_openai_options(options), env)


OPENAI = PlatformKind(_open, read_openai_options, needs_deployment=False)

"""Azure OpenAI: slots are deployments of an account, made through the control plane and asked through the data plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from evals.errors import GatewrightError, PlatformError
from evals.records import Candidate, Price, Slot
from flows.platforms.asking.readiness import probe_until_ready
from flows.platforms.azure.account import ArmAccount
from flows.platforms.azure.arm.documents import is_ours
from flows.platforms.azure.arm.transport import ArmClient
from flows.platforms.azure.changes import changes_in_place
from flows.platforms.azure.credentials import (
    FixedToken,
    IdentityTokens,
    TokenSource,
    arm_tokens,
    source_tokens,
)
from flows.platforms.azure.data import SOURCE_KEY, AzureAuth, azure_endpoint, azure_plane
from flows.platforms.azure.deploying import Deployer
from flows.platforms.azure.options import AzureOptions, read_options
from flows.platforms.azure.preflight import Preflight, billed_by_the_hour
from flows.platforms.azure.region.deployment_types import offers_of
from flows.platforms.azure.region.model_here import ModelHere, region_of
from flows.platforms.azure.region.retirement import last_days_of
from flows.platforms.azure.replace import Replacement, replace_deployment
from flows.platforms.azure.resolved import MODEL_TAG, RESOLVED_TAG, asked_for, resolves_to
from flows.platforms.azure.rights import pausing_of, pausing_rights
from flows.platforms.base import Connection, Deployment, Finding, PlatformKind, SlotSpec, TriggerRef
from flows.platforms.data_plane import DataPlane
from flows.platforms.deadlines import Deadline, PollingPace
from flows.platforms.fine_tuning.candidates import find_checkpoint, resolve_candidate
from flows.platforms.fine_tuning.records import Job, JobCheckpoint
from flows.platforms.last_days import LastDays
from flows.platforms.model_lifetimes import LifetimeTable
from flows.platforms.model_names import base_of, is_checkpoint_id, same_model
from flows.platforms.prices import PriceTable
from flows.platforms.reachability import unreachable

__all__ = ["AZURE_OPENAI", "AzureOpenAIPlatform"]


class AzureOpenAIPlatform:
    """One account. `env` holds credentials, read when first needed; `pace` says how long things may take.

    `name`, `absent` (the hint when nothing answers) and `tokens` are for platforms that speak the same API elsewhere.
    """

    expected_replace_s = (240.0, 600.0)
    """Least and most seconds that a replace usually leaves an application without its model."""

    def __init__(
        self,
        options: AzureOptions,
        env: Mapping[str, str],
        *,
        pace: PollingPace | None = None,
        name: str = "azure_openai",
        absent: str = "check the network and the account's address",
        tokens: TokenSource | None = None,
    ) -> None:
        self.options = options
        self._name = name
        self._pace = (pace or PollingPace()).within(
            ready=options.ready_within_s, deploy=options.deploy_within_s
        )
        control = tokens or arm_tokens(env, options.tenant)
        arm = ArmClient(
            control,
            base_url=options.arm_endpoint,
            api_version=options.arm_api_version,
            pace=self._pace,
            auxiliary=_auxiliary(options, env),
            absent=absent,
        )
        self.account = ArmAccount(arm, options.account_id)
        self.source = (
            ArmAccount(arm.elsewhere(), options.model_source.account_id)
            if options.model_source is not None
            else None
        )
        identity = _for_data(control, options.tenant)
        self._identities = [identity]
        self._auth = AzureAuth(env, identity)
        self._plane = azure_plane(options, self._auth, absent=absent)
        self._training = self._plane
        if options.source is not None:
            tenant = options.source.tenant or options.tenant
            there = _for_data(arm.auxiliary or identity, tenant)
            self._identities.append(there)
            auth = AzureAuth(env, there, key_variable=SOURCE_KEY)
            self._training = azure_plane(
                options, auth, absent=absent, endpoint=options.training_endpoint
            )
        self._prices = PriceTable(name, options.prices)
        self.lifetimes = LifetimeTable(name, options.lifetimes)
        self._deployer = Deployer(
            self.account,
            source=options.model_source,
            content_policy=options.content_policy,
            offered=self._offered,
            model_format=options.model_format,
            find_checkpoint=self._checkpoint,
        )

    @property
    def name(self) -> str:
        """The platform's name in target files."""
        return self._name

    @property
    def asked_by_key(self) -> bool:
        """True where models are asked with a key, False where it is with a token of Entra ID."""
        return bool(self._auth.key)

    @property
    def data(self) -> DataPlane:
        """The data plane where models are trained, for jobs and files: the source account's when there is one."""
        return self._training

    async def resolve(self, ref: TriggerRef, *, target: str) -> Candidate:
        """Name the model behind a job, model or checkpoint id. Raises RefusedError when it is not finished or unknown."""
        return await resolve_candidate(
            self,
            ref,
            target=target,
            deploys_checkpoint_ids=True,
            elsewhere=self.options.source is not None,
        )

    async def reach(self) -> Finding | None:
        """Return what is wrong when nothing listens at the address of the account or of the control plane."""
        planes = [self._plane.address, self._training.address, self.account.arm.base]
        return await unreachable(planes, fix=self._plane.absent)

    async def preflight(
        self, candidate: Candidate, slots: tuple[SlotSpec, ...]
    ) -> tuple[Finding, ...]:
        """Look at credentials, rights, account, model, SKUs, quota, lifetimes and prices. Never raises."""
        price = self.price(candidate.model_id, candidate.base_model)
        return await Preflight(self, candidate, slots, price).run()

    async def deploy(
        self, name: str, model_id: str, slot: SlotSpec, *, tags: Mapping[str, str]
    ) -> Deployment:
        """Make `model_id` stand under `name` and wait until the control plane says so; what already stands is kept."""
        return await self._deployer.deploy(name, model_id, slot, tags)

    async def wait_ready(self, deployment: Deployment) -> Connection:
        """Wait for the control plane's word on the asked model, then for answers of the data plane."""
        async with Deadline(self._pace.ready, f"{deployment.name} to answer") as deadline:
            named = await self._await_answer(deployment, deadline)
        connection = self.connect(deployment.name, deployment.model_id, deployment.slot)
        return replace(connection, answers_as=named)

    async def _await_answer(self, deployment: Deployment, deadline: Deadline) -> str:
        name, model_id = deployment.name, deployment.model_id
        standing = await self._by_its_id(await self.account.settled(name, deadline=deadline))
        if standing.state != "ready" or not same_model(model_id, standing.model_id):
            raise PlatformError(
                f"deployment {name} is {standing.state} with {standing.model_id}; expected {model_id}",
                code="NotReady",
                hint="deploy it again" if standing.state == "failed" else "see who changed it",
            )

        async def resume(paused: PlatformError) -> None:
            if name not in self.account.resumed:  # else it is about to answer
                await self._resume(standing, paused)

        return await probe_until_ready(
            self._plane,
            self.connect(name, standing.model_id, deployment.slot),
            pace=self._pace,
            deadline=deadline,
            also=(*await self._other_names(model_id), *filter(None, (standing.shown_as,))),
            resume=resume,
        )

    async def _resume(self, standing: Deployment, paused: PlatformError) -> None:
        """Resume what is ours and was not shown as paused; in other cases, and when refused, the error says that it is."""
        if self.account.shows_paused or not is_ours(standing):
            raise paused
        try:
            async with self.account.writing:
                await self.account.resume(standing.name)
        except PlatformError as error:
            raise PlatformError(
                f"{standing.name} is paused and can't be resumed: {error.message}",
                status=paused.status,
                code=error.code,
                hint=error.hint,
            ) from error

    def connect(self, name: str, model_id: str, slot: Slot) -> Connection:
        """Return the connection to a standing deployment without asking anything."""
        endpoint = azure_endpoint(self.options, name, model_id, slot)
        return Connection(endpoint=endpoint, auth=self._auth.headers)

    async def get(self, name: str) -> Deployment | None:
        """Return the deployment as the control plane sees it, None when there is none."""
        found = await self.account.get(name)
        return await self._by_its_id(found) if found is not None else None

    async def list_deployments(self) -> tuple[Deployment, ...]:
        """Return every deployment of the account, ours and others'."""
        return await self.account.deployments()

    async def answering(
        self, model_id: str, *, live: str | None = None
    ) -> tuple[DataPlane, Connection] | None:
        """Return how to ask a deployment of the model that stands already, None when none of ours, or live, is ready."""
        for one in await self.account.deployments():
            may_be_asked = is_ours(one) or one.name == live
            if may_be_asked and one.state == "ready" and same_model(model_id, one.model_id):
                return self._plane, self.connect(one.name, one.model_id, one.slot)
        return None

    async def last_days(
        self, model_id: str, base_model: str | None = None, *, ask: bool = True
    ) -> LastDays:
        """Return until when a model answers in the account's region, by its list, the target and what is published."""
        models = await self.account.models() if ask else ()
        return await last_days_of(self, model_id, base_model, models, ask=ask)

    async def delete(self, name: str) -> None:
        """Delete and wait until it is gone. Raises PlatformError (code NotOurs) for what Gatewright did not make."""
        await self._deployer.delete(name)

    async def replace(
        self,
        name: str,
        model_id: str,
        slot: SlotSpec,
        *,
        tags: Mapping[str, str],
        previous: Deployment | None = None,
        gapless: bool = False,
    ) -> Replacement:
        """Put another model under a fixed name: in place where that can be, else delete, wait, create, wait.

        `previous` is what stood there when the operation was first begun, for a repeat after a crash. When `gapless`,
        only in place. A new model that can't be made to stand leaves the old one there, or puts it back.
        """
        return await replace_deployment(
            self,
            self._deployer,
            name,
            model_id,
            slot,
            tags=tags,
            previous=previous,
            gapless=gapless,
        )

    def changes_in_place(self, standing: Deployment, model_id: str, slot: SlotSpec) -> bool:
        """True where the model of a standing deployment may be changed while it goes on answering."""
        return changes_in_place(standing, model_id, slot)

    async def pause(self, name: str) -> None:
        """Stop a kept deployment from answering; not offered for the developer tier."""
        await self.account.pause(name)

    async def pausing(self, slot: SlotSpec) -> Finding | None:
        """Say whether deployments of such a slot can be paused and resumed, None when that can't be told."""
        return pausing_of(slot) or await pausing_rights(self.account)

    def billed_by_the_hour(self, model_id: str, slot: SlotSpec) -> bool:
        """True when a model standing in such a slot costs by the hour besides its tokens."""
        return billed_by_the_hour(model_id, slot)

    def price(self, model_id: str, base_model: str | None = None) -> Price | None:
        """Return the price of a model, None when it is not known."""
        return self._prices.price(model_id, base_model)

    async def aclose(self) -> None:
        """Close connections and credentials."""
        await self._plane.aclose()
        await self._training.aclose()
        await self.account.arm.aclose()
        if self.source is not None:
            await self.source.arm.aclose()
        for identity in self._identities:
            await identity.aclose()

    async def _offered(self, model_id: str) -> tuple[str, ...]:
        """The deployment types that a model has in the account's region; nothing when its base isn't known."""
        found = await self._checkpoint(model_id)
        base = base_of((found and found[0].model_id) or model_id) or (found and found[0].base_model)
        try:
            location = region_of(await self.account.describe())
        except PlatformError:
            location = ""  # types that every region has are told all the same
        here = ModelHere(
            model_id=model_id,
            base=base_of(base or "") or base or model_id,
            location=location,
            models=await self.account.models(),
            lifetimes=self.lifetimes,
            offered=self.options.offered,
            today=datetime.now(UTC).date(),
        )
        return offers_of(here).offered

    async def _checkpoint(self, model_id: str) -> tuple[Job, JobCheckpoint] | None:
        """What the jobs tell of a checkpoint; None for other ids, and where nothing can be told."""
        if not is_checkpoint_id(model_id):
            return None
        try:
            return await find_checkpoint(self, model_id)
        except GatewrightError:
            return None  # the source account's jobs need not be readable

    async def _by_its_id(self, found: Deployment) -> Deployment:
        """A deployment that was asked for a checkpoint, under that id once the jobs tell that its name is the checkpoint's."""
        asked = found.tags.get(MODEL_TAG, "")
        unsure = asked_for(found, asked) and RESOLVED_TAG not in found.tags
        if not unsure or same_model(asked, found.model_id):
            return found
        known = await self._checkpoint(asked)
        if not resolves_to(found.model_id, known, certain=found.as_created):
            return found
        return msgspec.structs.replace(found, model_id=asked, shown_as=found.model_id)

    async def _other_names(self, model_id: str) -> tuple[str, ...]:
        """A checkpoint answers under its model's name, which only its job tells."""
        found = await self._checkpoint(model_id)
        return (found[1].model_id,) if found and found[1].model_id else ()


def _for_data(tokens: TokenSource, tenant: str | None) -> TokenSource:
    """A token given for the control plane opens no data plane; then azure-identity is asked."""
    return IdentityTokens(tenant=tenant) if isinstance(tokens, FixedToken) else tokens


def _auxiliary(options: AzureOptions, env: Mapping[str, str]) -> TokenSource | None:
    source = options.model_source
    return source_tokens(env, source.tenant) if source and source.tenant else None


def _open(options: Mapping[str, Any], env: Mapping[str, str]) -> AzureOpenAIPlatform:
    return AzureOpenAIPlatform(read_options(options), env)


AZURE_OPENAI = PlatformKind(_open, read_options)

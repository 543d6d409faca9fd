"""The preflight on Azure: everything that could stop a run, looked at before money is spent. Reports, never raises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from evals.errors import ConfigurationError, CredentialError, GatewrightError, PlatformError
from evals.records import Candidate, Price
from flows.platforms.azure.account import ArmAccount
from flows.platforms.azure.addresses import address_finding
from flows.platforms.azure.arm.documents import is_ours, sku_of
from flows.platforms.azure.options import AzureOptions
from flows.platforms.azure.quota import WantedDeployment, quota_findings, read_rows
from flows.platforms.azure.region.capacities import capacity_finding
from flows.platforms.azure.region.cross_region import fine_tuning_finding
from flows.platforms.azure.region.deployment_types import sku_finding
from flows.platforms.azure.region.formats import format_finding
from flows.platforms.azure.region.known_base import base_finding
from flows.platforms.azure.region.lifetimes import lifetime_findings
from flows.platforms.azure.region.model_here import ModelHere, region_of
from flows.platforms.azure.region.models import find_entry, usage_names
from flows.platforms.azure.rights import ROLE, SOURCE_ROLE, rights, source_rights
from flows.platforms.base import Finding, SlotSpec
from flows.platforms.data_plane import DataPlane
from flows.platforms.findings import price_finding
from flows.platforms.fine_tuning.candidates import known_model
from flows.platforms.model_lifetimes import LifetimeTable
from flows.platforms.model_names import (
    base_of,
    base_parts,
    is_checkpoint_id,
    is_fine_tuned,
    job_of,
    same_model,
)

__all__ = ["Preflight", "billed_by_the_hour"]

_TARGET_TAG = "gatewright-target"
_BILLED_BY_THE_HOUR = frozenset({"Standard", "GlobalStandard", "DataZoneStandard"})


class _AzurePlatform(Protocol):
    options: AzureOptions
    account: ArmAccount
    source: ArmAccount | None
    lifetimes: LifetimeTable

    @property
    def asked_by_key(self) -> bool: ...

    @property
    def data(self) -> DataPlane: ...


class Preflight:
    """One look at an account for one candidate and the slots it is to stand in."""

    def __init__(
        self,
        platform: _AzurePlatform,
        candidate: Candidate,
        slots: tuple[SlotSpec, ...],
        price: Price | None,
    ) -> None:
        self._platform, self._account = platform, platform.account
        self._candidate, self._slots, self._price = candidate, slots, price
        self._findings: list[Finding] = []
        self._models: list[dict[str, Any]] = []
        self._refused = False
        self._location = ""
        named = base_of(candidate.model_id) or candidate.base_model
        self._base_known = named is not None or not is_checkpoint_id(candidate.model_id)
        base = named or candidate.model_id
        # training that was continued names the earlier fine-tune
        self._base = base_of(base) or base

    async def run(self) -> tuple[Finding, ...]:
        """Return one finding for each thing looked at; what can't be looked at is a finding itself."""
        signed_in = await self._look("credentials", self._credentials, _SIGN_IN)
        await self._look("model", self._model, "check the model id and the data plane's credential")
        if signed_in:
            location = await self._look(
                "account", self._describe, "check 'azure_openai' in the target file"
            )
        if signed_in and not self._refused:
            await self._look("rights", self._rights, ROLE)
            await self._look("source rights", self._source_rights, SOURCE_ROLE)
            await self._look("region", self._region, ROLE)
            if location:
                reader = "have 'Cognitive Services Usages Reader' assigned at the subscription"
                await self._look("quota", lambda: self._quota(str(location)), reader, level="warn")
        hosted = any(billed_by_the_hour(self._candidate.model_id, slot) for slot in self._slots)
        self._findings.append(price_finding(self._price, self._candidate, hosted=hosted))
        return tuple(self._findings)

    async def _look(
        self,
        name: str,
        step: Callable[[], Awaitable[object]],
        fix: str,
        *,
        level: str = "fail",
    ) -> object:
        """Run a step and turn its error into a finding; returns None then."""
        try:
            return await step()
        except GatewrightError as error:
            # a refused token is told once, not in every line
            self._refused = name == "account" and isinstance(error, CredentialError)
            self._add(name, level, *_message_and_fix(error, fix))
            return None

    def _add(self, name: str, level: str, message: str, fix: str = "") -> None:
        known: Mapping[str, Any] = {"ok": "ok", "warn": "warn", "fail": "fail"}
        self._findings.append(Finding(name=name, level=known[level], message=message, fix=fix))

    async def _credentials(self) -> bool:
        await self._account.arm.token()
        self._add("credentials", "ok", "a token for the control plane was obtained")
        return True

    async def _describe(self) -> str:
        account = await self._account.describe()
        location = self._location = region_of(account)
        name = account.get("name") or self._platform.options.account
        self._add("account", "ok", f"{name} in {location or 'an unnamed region'}")
        by_key = self._platform.asked_by_key
        self._keep(address_finding(account, self._platform.options, by_key=by_key))
        return location

    async def _rights(self) -> None:
        self._keep(await rights(self._account))

    async def _source_rights(self) -> None:
        source = self._platform.source
        if source is not None and is_fine_tuned(self._candidate.model_id):
            self._keep(await source_rights(source))

    def _keep(self, finding: Finding | None) -> None:
        self._findings += [finding] if finding is not None else []

    async def _model(self) -> None:
        model_id = self._candidate.model_id
        if is_checkpoint_id(model_id) or self._candidate.checkpoint == model_id:
            self._checkpoint(model_id)
        elif await known_model(self._platform, model_id) is None:
            fix = "check the model id; for a model of another account name it under 'source'"
            where = self._platform.data.address
            self._add("model", "fail", f"{model_id} is not known at {where}", fix)
        else:
            self._add("model", "ok", f"{model_id} is there")

    def _checkpoint(self, model_id: str) -> None:
        job = self._candidate.job_id
        if self._candidate.unlisted and job:
            base = f", with {self._base} as its base model" if self._base_known else ""
            message = f"{job} does not list {model_id}: it is tried as it is{base}"
            fix = "check the job's id, or give the base model by --base-model in its stead"
            if job == job_of(model_id):  # nobody named it beside
                fix = "check the id, unless the checkpoint was copied, or its job deleted"
            self._add("model", "warn", message, fix)
        elif job:
            self._add("model", "ok", f"{model_id} is a checkpoint of {job}")
        elif self._candidate.checkpoint:
            message = f"no job that can be read lists {model_id}, as is so of copied checkpoints: it is tried as it is"
            self._add(
                "model", "warn", message, "give the job that it is of, if there is one, by --job"
            )
        else:
            self._add("model", "ok", f"{model_id} is a checkpoint whose job was not looked up")
        if not self._base_known:
            message = (
                f"the base model of {model_id} is not known, and so neither its price, nor its lifetime, its quota or the"
                " deployment types it has here"
            )
            self._add("base model", "warn", message, "give it by --base-model")

    async def _region(self) -> None:
        """Deployment types and lifetimes, from the account's list of models and what is published besides."""
        self._models = await self._account.models()
        here = self._here()
        if self._base_known:
            self._keep(base_finding(here))
            for slot in self._slots:
                self._findings.append(sku_finding(here, slot.slot, _sku(slot), slot.capacity))
                self._keep(capacity_finding(here, slot.slot, _sku(slot), slot.capacity))
            self._findings += lifetime_findings(here)
        if self._candidate.unlisted and is_checkpoint_id(self._candidate.model_id):
            stated = self._platform.options.model_format
            self._keep(format_finding(self._candidate.model_id, self._base, stated))
        if self._platform.source is not None and here.tuned:
            self._keep(fine_tuning_finding(here, await self._trained_in()))

    def _here(self) -> ModelHere:
        return ModelHere(
            model_id=self._candidate.model_id,
            base=self._base,
            location=self._location,
            models=self._models,
            lifetimes=self._platform.lifetimes,
            offered=self._platform.options.offered,
            today=datetime.now(UTC).date(),
            job_id=None if self._candidate.unlisted else self._candidate.job_id,
        )

    async def _trained_in(self) -> str | None:
        """The source account's region, None when it may not be read."""
        assert self._platform.source is not None
        try:
            return region_of(await self._platform.source.describe())
        except GatewrightError:
            return None

    async def _quota(self, location: str) -> None:
        rows = read_rows(await self._account.usages(location))
        models = self._models or await self._account.models()
        entry = find_entry(models, self._candidate.model_id) or find_entry(
            models, *base_parts(self._base)
        )
        wanted = [
            WantedDeployment(slot.slot, _sku(slot), slot.capacity, usage_names(entry, _sku(slot)))
            for slot in await self._not_standing()
        ]
        model_id = self._candidate.model_id
        self._findings += quota_findings(rows, wanted, model_id=model_id, base_model=self._base)

    async def _not_standing(self) -> list[SlotSpec]:
        """The slots that a run would still create: one that is resumed finds its own standing."""
        target = (
            self._candidate.target
        )  # another target's deployment of the same model is of no use to this one
        mine = [
            one
            for one in await self._account.deployments()
            if is_ours(one)
            and one.tags.get(_TARGET_TAG, target) == target
            and same_model(self._candidate.model_id, one.model_id)
        ]
        standing = {(one.slot, one.sku) for one in mine}
        return [slot for slot in self._slots if (slot.slot, _sku(slot)) not in standing]


def billed_by_the_hour(model_id: str, slot: SlotSpec) -> bool:
    """True for fine-tunes paid by token: base models have no hosting fee, and provisioned throughput is its own."""
    return is_fine_tuned(model_id) and _sku(slot) in _BILLED_BY_THE_HOUR


_SIGN_IN = "run 'az login', or give a service principal or a managed identity"


def _message_and_fix(error: GatewrightError, fix: str) -> tuple[str, str]:
    if isinstance(error, PlatformError) and error.hint:
        return error.message, error.hint
    if isinstance(error, ConfigurationError) and error.problems[0].fix:
        problem = error.problems[0]
        return f"{problem.where}: {problem.message}", problem.fix or ""
    return str(error), fix


def _sku(slot: SlotSpec) -> str:
    try:
        return sku_of(slot)
    except ConfigurationError:
        return slot.sku  # an unknown one: it will not be among those offered

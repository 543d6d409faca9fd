"""Making a deployment stand, idempotently: read first, keep what stands, write only what is missing.

There is no optimistic locking on deployments, so that every write is read back. A process that was killed while it
deployed comes back here with the same arguments and goes on from what the control plane shows.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec

from evals.errors import GatewrightError, PlatformError
from flows.platforms.azure.account import ArmAccount
from flows.platforms.azure.arm.documents import (
    ModelSource,
    is_ours,
    put_body,
    sku_of,
)
from flows.platforms.azure.changes import REFUSED_CHANGES, changes_in_place, not_repointable
from flows.platforms.azure.errors.meanings import FINE_TUNE_REFUSED, NO_NEW_DEPLOYMENTS
from flows.platforms.azure.region.deployment_types import untuned_on_developer_tier
from flows.platforms.azure.region.formats import OPENAI, known_format, listed_format
from flows.platforms.azure.resolved import RESOLVED_TAG, asked_for, resolves_to
from flows.platforms.base import RUN_TAG, Deployment, SlotSpec
from flows.platforms.deadlines import Deadline
from flows.platforms.fine_tuning.records import Job, JobCheckpoint
from flows.platforms.model_names import base_of, is_fine_tuned, same_id, same_model

__all__ = ["Deployer", "refuse_untuned"]

OfferedTypes = Callable[[str], Awaitable[tuple[str, ...]]]
"""From a model id to the deployment types that it has in the account's region."""

FindCheckpoint = Callable[[str], Awaitable[tuple[Job, JobCheckpoint] | None]]
"""Tells the job and the checkpoint behind an id, None when no job does."""

_FORMAT_HINT = (
    "try again later; a wrong model format also shows like this: the model was sent with the format '{}', and"
    " 'model_format' in the target's azure_openai block sets another, such as 'Alibaba', 'Microsoft', 'Mistral AI' or 'Meta'"
)
_QUOTA_RETURNS_S = 60.0
"""How long after a deletion a quota that does not reach may only be late: 15 to 20 s are usual."""
_QUOTA_LATE = "the quota of what was deleted is not back yet (400 InsufficientQuota)"


class Deployer:
    """Creates, changes and deletes deployments of one account, one write at a time."""

    def __init__(
        self,
        account: ArmAccount,
        *,
        source: ModelSource | None = None,
        content_policy: str | None = None,
        model_format: str | None = None,
        find_checkpoint: FindCheckpoint,
        offered: OfferedTypes,
    ) -> None:
        self._account = account
        self._offered = offered
        self._source, self._content_policy = source, content_policy
        self._format, self._find = model_format, find_checkpoint
        self._freed_at: float | None = None

    async def deploy(
        self,
        name: str,
        model_id: str,
        slot: SlotSpec,
        tags: Mapping[str, str],
        *,
        whosever: bool = False,
    ) -> Deployment:
        """Make `model_id` stand under `name`. Raises PlatformError when that can't be, or not in time.

        Another model is changed in place where the service does that; `whosever` allows it for what others made, too.
        """
        refuse_untuned(name, model_id, slot)
        limit = self._account.arm.pace.deploy
        async with Deadline(limit, f"{name} to be deployed") as deadline, self._turn(deadline):
            standing = await self._usable(name, model_id, slot, tags, deadline, whosever=whosever)
            before, put = None, standing is None
            if standing is not None and not same_model(model_id, standing.model_id):
                before, put = standing.shown_as or standing.model_id, True
                # the capacity of what stands: model and capacity in one request are refused
                kept = SlotSpec(slot=slot.slot, sku=standing.sku, capacity=standing.capacity)
                await self._put(name, model_id, kept, tags, deadline)
                standing = await self._account.settled(name, deadline=deadline)
            if standing is None:
                await self._put(name, model_id, slot, tags, deadline)
            elif is_ours(standing) and slot.capacity != standing.capacity:
                await self._resize(standing, slot, deadline)
            settled = await self._account.settled(name, deadline=deadline)
            settled = await self._recognised(settled, model_id, deadline, before=before, put=put)
        return _as_asked(settled, model_id)

    async def delete(self, name: str) -> None:
        """Delete what Gatewright made, and wait until it is gone. Raises PlatformError for what others made."""
        standing = await self._account.get(name)
        if standing is None:
            return
        if not is_ours(standing):
            raise PlatformError(
                f"deployment {name} was not made by Gatewright and is left alone",
                code="NotOurs",
                hint="delete it by hand if it is to go",
                lasting=True,
            )
        async with self._account.writing:
            await self.remove(name)

    async def remove(self, name: str) -> None:
        """Delete whatever stands under the name; the caller holds the account's lock."""
        limit = self._account.arm.pace.delete
        async with Deadline(limit, f"{name} to be deleted") as deadline:
            await self._account.delete(name, deadline=deadline)
        self._freed_at = time.monotonic()

    @asynccontextmanager
    async def _turn(self, deadline: Deadline) -> AsyncIterator[None]:
        """Hold the account's lock; who waits for it is told so."""
        deadline.note("this process still writes to the account")
        async with self._account.writing:
            deadline.note("")
            yield

    async def _usable(
        self,
        name: str,
        model_id: str,
        slot: SlotSpec,
        tags: Mapping[str, str],
        deadline: Deadline,
        *,
        whosever: bool,
    ) -> Deployment | None:
        """Return what stands and can stay, None when it is to be created; clear away what is broken and ours."""
        found = await self._account.get(name, deadline=deadline)
        if found is None:
            return None
        if found.state != "deleting" and asked_for(found, model_id):
            found = await self._account.settled(name, deadline=deadline)
            found = await self._recognised(found, model_id, deadline)
        broken = found.state == "failed" and is_ours(found)
        if found.state == "deleting" or broken or await self._unsure(found, model_id, tags):
            await self.remove(name)
            return None
        if not same_model(model_id, found.model_id):
            if (whosever or is_ours(found)) and changes_in_place(found, model_id, slot):
                return found
            if asked_for(found, model_id):
                raise PlatformError(
                    f"deployment {name} was asked for {model_id} and shows {found.model_id}: nothing tells that it is that",
                    code="WrongModel",
                    hint="nothing was switched; delete it if nobody else deploys under this name, and run the same again",
                )
            raise not_repointable(found, model_id)
        if found.sku.lower() != sku_of(slot).lower():
            raise PlatformError(
                f"deployment {name} stands as {found.sku}, asked for is {sku_of(slot)}",
                code="SkuDiffers",
                hint="a deployment type can't be changed in place: deploy under another name",
                lasting=True,
            )
        if found.state == "paused":
            await self._account.resume(name)
            return await self._account.settled(name, deadline=deadline, resumed=True)
        return found

    async def _unsure(self, found: Deployment, model_id: str, tags: Mapping[str, str]) -> bool:
        """A developer slot that this very run asked for a checkpoint, and nothing tells whether its name is that one's."""
        ours = bool(tags.get(RUN_TAG)) and found.tags.get(RUN_TAG) == tags[RUN_TAG]
        if found.slot != "developer" or not ours or not asked_for(found, model_id):
            return False
        if RESOLVED_TAG in found.tags or same_model(model_id, found.model_id):
            return False
        return is_fine_tuned(found.model_id) and await self._find(model_id) is None

    async def _recognised(
        self,
        standing: Deployment,
        model_id: str,
        deadline: Deadline,
        *,
        before: str | None = None,
        put: bool = False,
    ) -> Deployment:
        """Return a deployment that was asked for a checkpoint as one of it, if the name it shows is that checkpoint's.

        `before` is what stood under the name and was to be changed, `put` whether our request was the last one: it also
        was where nobody has written since the creation, as after a process that was killed before it came here. The name is
        put on record among the tags, so that whatever is shown later is known for ours, or not.
        """
        shown = standing.model_id
        if (
            standing.state == "failed"
            or same_model(model_id, shown)
            or not asked_for(standing, model_id)
            or RESOLVED_TAG in standing.tags  # and it was another name
            or (before is not None and same_id(before, shown))
        ):
            return standing
        if not resolves_to(shown, await self._find(model_id), certain=put or standing.as_created):
            return standing
        tags = {**standing.tags, RESOLVED_TAG: shown}
        await self._account.patch(standing.name, {"tags": tags}, deadline=deadline)
        return await self._account.settled(standing.name, deadline=deadline)

    async def _put(
        self,
        name: str,
        model_id: str,
        slot: SlotSpec,
        tags: Mapping[str, str],
        deadline: Deadline,
    ) -> None:
        kind = await self._format_of(model_id)
        body = put_body(
            model_id,
            slot,
            tags,
            source=self._source,
            content_policy=self._content_policy,
            model_format=kind,
        )
        foreign = self._source is not None and self._source.tenant is not None

        async def put() -> None:
            await self._account.put(name, body, deadline=deadline, cross_tenant=foreign)

        try:
            await self._once_quota_is_back(put, deadline)
        except PlatformError as error:
            if error.code in REFUSED_CHANGES:
                await self._forgive_repeat(name, model_id, deadline, error)
            elif error.about == "sku":
                raise await self._with_offered_skus(error, model_id, slot) from error
            elif error.status == 500:
                raise error.hinted(_FORMAT_HINT.format(kind)) from error
            elif (error.code or "").lower() in NO_NEW_DEPLOYMENTS and is_fine_tuned(model_id):
                raise error.hinted(FINE_TUNE_REFUSED) from error
            else:
                raise

    async def _once_quota_is_back(
        self, put: Callable[[], Awaitable[None]], deadline: Deadline
    ) -> None:
        while True:
            try:
                return await put()
            except PlatformError as error:
                late = error.code == "InsufficientQuota" and self._quota_may_return()
                pause = min(5.0, self._account.arm.pace.poll)
                if not late or not await deadline.pause(pause, _QUOTA_LATE):
                    raise

    def _quota_may_return(self) -> bool:
        freed = self._freed_at
        return freed is not None and time.monotonic() - freed < _QUOTA_RETURNS_S

    async def _forgive_repeat(
        self, name: str, model_id: str, deadline: Deadline, error: PlatformError
    ) -> None:
        """A repeated PUT of the very same deployment may be refused as a model change: then it stands already."""
        found = await self._account.get(name, deadline=deadline)
        if found is None or not (
            same_model(model_id, found.model_id) or asked_for(found, model_id)
        ):
            raise error

    async def _format_of(self, model_id: str) -> str:
        """What the target calls the model's format, else what fine-tunes of its family have, else what is listed, or OpenAI.

        An untuned model is what the account's list says that it is.
        """
        tuned = is_fine_tuned(model_id)
        base = base_of(model_id) or ("" if tuned else model_id)
        family = known_format(base)
        if self._format or family == OPENAI or (family and tuned):
            return self._format or family or OPENAI
        try:
            models = await self._account.models()
        except PlatformError:
            models = []
        if not base and not (models and all(one.get("format") == OPENAI for one in models)):
            found = await self._find(model_id)
            base = (found and found[0].base_model) or ""
            base = base_of(base) or base
            family = known_format(base)
        listed = listed_format(models, model_id, base or model_id)
        return (family if tuned else listed) or listed or family or OPENAI

    async def _with_offered_skus(
        self, error: PlatformError, model_id: str, slot: SlotSpec
    ) -> PlatformError:
        """What the model has here instead; a table that also names the refused type is wrong about that one."""
        try:
            offered = [sku for sku in await self._offered(model_id) if sku != sku_of(slot)]
        except GatewrightError:
            return error  # what may not be read adds nothing
        if not offered:
            return error
        return error.hinted(f"offered here for this model: {', '.join(offered)}")

    async def _resize(self, standing: Deployment, slot: SlotSpec, deadline: Deadline) -> None:
        # PATCH: a PUT would send the model again, which may be refused as a change of it
        await self._account.settled(standing.name, deadline=deadline)
        sku = {"name": standing.sku, "capacity": slot.capacity}
        body = {"sku": sku, "tags": standing.tags}
        await self._account.patch(standing.name, body, deadline=deadline)


def refuse_untuned(name: str, model_id: str, slot: SlotSpec) -> None:
    """Raise PlatformError for an untuned model in a slot that takes fine-tunes only, before anything is changed."""
    if sku_of(slot) == "DeveloperTier" and not is_fine_tuned(model_id):
        message, fix = untuned_on_developer_tier(model_id, slot.slot, slot.capacity)
        raise PlatformError(
            f"could not deploy {name}: {message}", code="FineTunesOnly", hint=fix, lasting=True
        )


def _as_asked(settled: Deployment, model_id: str) -> Deployment:
    if settled.state == "failed":
        raise PlatformError(
            f"deployment {settled.name} could not be provisioned",
            code="DeploymentFailed",
            hint="try again; what failed is cleared away first",
        )
    if not same_model(model_id, settled.model_id):
        raise PlatformError(
            f"deployment {settled.name} holds {settled.model_id} and not {model_id}: somebody else wrote to it",
            code="WrongModel",
            hint="nothing was switched; find out who deploys under this name",
        )
    if settled.model_id != model_id:
        # the id that everything else is recorded under, whatever letter case or date is shown
        return msgspec.structs.replace(settled, model_id=model_id, shown_as=settled.model_id)
    return settled

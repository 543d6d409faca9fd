"""One Azure OpenAI account in the control plane: its deployments, its models, its quota."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Literal
from weakref import WeakKeyDictionary

import msgspec

from evals.codec import convert
from evals.errors import PlatformError
from flows.platforms.azure.arm.documents import OWN_TAG, ArmDeployment, to_deployment
from flows.platforms.azure.arm.operations import follow, out_of_time
from flows.platforms.azure.arm.transport import PAUSING_API_VERSION, ArmClient
from flows.platforms.azure.roles import PAUSE, RESUME, what_to_assign
from flows.platforms.base import Deployment
from flows.platforms.deadlines import Deadline

__all__ = ["ArmAccount"]

_log = logging.getLogger(__name__)
_MISSING = frozenset({404})
_NO_RIGHT = frozenset({"", "403", "authorizationfailed", "forbidden", "permissiondenied"})
_NOT_OFFERED = frozenset(
    {"invalidresourcetype", "noregisteredproviderfound", "invalidapiversionparameter"}
)
_LOCKS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()


class ArmAccount:
    """Requests about one account. `account_id` is its ARM id."""

    def __init__(self, arm: ArmClient, account_id: str) -> None:
        self.arm = arm
        self.account_id = account_id
        self._subscription = "/".join(account_id.split("/")[:3])
        self.resumed: set[str] = set()  # by us, so that a 423 may only be late

    @property
    def _reading(self) -> Mapping[str, str]:
        return {"api-version": self.arm.deployments_version}

    @property
    def shows_paused(self) -> bool:
        """False where the target sets an older api-version, which does not tell that a deployment is paused."""
        return self.arm.deployments_version >= PAUSING_API_VERSION

    @property
    def writing(self) -> asyncio.Lock:
        """Held while this process writes to the account: the service refuses two writes at once."""
        locks = _LOCKS.setdefault(asyncio.get_running_loop(), {})
        return locks.setdefault(self.account_id.lower(), asyncio.Lock())

    async def describe(self) -> dict[str, Any]:
        """Return the account: `location`, `kind`, `properties.endpoint`."""
        answer = await self.arm.send("GET", self.account_id, doing="read the account")
        return dict(answer.body)

    async def get(self, name: str, *, deadline: Deadline | None = None) -> Deployment | None:
        """Return a deployment, None when there is none."""
        answer = await self.arm.send(
            "GET",
            self._path(name),
            doing=f"read deployment {name}",
            params=self._reading,
            allow=_MISSING,
            deadline=deadline,
        )
        if answer.status != 404:
            return _deployment(answer.body)
        if answer.code in {None, "ResourceNotFound", "DeploymentNotFound", "NotFound"}:
            return None
        # the account itself is missing: to report "no deployment" would hide a wrong name
        await self.describe()
        return None

    async def deployments(self) -> tuple[Deployment, ...]:
        """Return every deployment of the account; one in a form not known, which may be anybody's, is left out."""
        items = await self.arm.pages(
            f"{self.account_id}/deployments", doing="list deployments", params=self._reading
        )
        return tuple(one for one in map(_readable, items) if one is not None)

    async def put(
        self, name: str, body: Mapping[str, Any], *, deadline: Deadline, cross_tenant: bool = False
    ) -> None:
        """Create or replace, and wait for the end of the operation."""
        doing = f"create deployment {name}"
        begun = await self.arm.send(
            "PUT",
            self._path(name),
            doing=doing,
            body=body,
            deadline=deadline,
            auxiliary=cross_tenant,
        )
        await follow(self.arm, begun, doing=doing, deadline=deadline)

    async def patch(self, name: str, body: Mapping[str, Any], *, deadline: Deadline) -> None:
        """Change sku or tags only, and wait for the end of the operation."""
        doing = f"change deployment {name}"
        begun = await self.arm.send(
            "PATCH", self._path(name), doing=doing, body=body, deadline=deadline
        )
        if begun.status == 202:
            await follow(self.arm, begun, doing=doing, deadline=deadline)

    async def delete(self, name: str, *, deadline: Deadline) -> None:
        """Delete and wait until the control plane answers 404."""
        doing = f"delete deployment {name}"
        begun = await self.arm.send(
            "DELETE", self._path(name), doing=doing, deadline=deadline, allow=_MISSING
        )
        if begun.status == 202:
            await follow(self.arm, begun, doing=doing, deadline=deadline)
        while (standing := await self.get(name, deadline=deadline)) is not None:
            if not await deadline.pause(self.arm.pace.poll, f"it is {standing.state}"):
                raise out_of_time(doing, deadline)

    async def settled(
        self, name: str, *, deadline: Deadline, patience: float = 30.0, resumed: bool = False
    ) -> Deployment:
        """Look until the deployment is ready, failed or paused; any other state means that it is still going.

        For `patience` seconds a 404 is taken for the control plane's own delay. `resumed` by us just now, a deployment
        that is still shown as paused is about to answer.
        """
        fresh = Deadline(min(patience, deadline.left))
        ends = {"ready", "failed"} if resumed else {"ready", "failed", "paused"}
        while True:
            found = await self.get(name, deadline=deadline)
            if found is not None and found.state in ends:
                return found
            if found is None and fresh.passed:
                raise PlatformError(
                    f"deployment {name} is gone while it was being waited for",
                    code="ResourceNotFound",
                )
            if not await deadline.pause(
                self.arm.pace.poll, f"it is {found.state if found else 'missing'}"
            ):
                raise out_of_time(
                    f"{'resume' if resumed else 'create'} deployment {name}", deadline
                )

    async def pause(self, name: str) -> None:
        """Stop a deployment from answering (and, where the service allows it, from costing)."""
        async with self.writing:
            await self._post(name, "pause")
        self.resumed.discard(name)

    async def resume(self, name: str) -> None:
        """Let a paused deployment answer again. The caller holds `writing`."""
        await self._post(name, "resume")
        self.resumed.add(name)

    async def models(self) -> list[dict[str, Any]]:
        """Return the models the account can deploy, with SKUs, deprecation dates and life-cycle status."""
        return await self.arm.pages(f"{self.account_id}/models", doing="list the account's models")

    async def usages(self, location: str) -> list[dict[str, Any]]:
        """Return the subscription's quota rows in a location."""
        path = f"{self._subscription}/providers/Microsoft.CognitiveServices/locations/{location}/usages"
        return await self.arm.pages(path, doing=f"read the quota in {location}")

    async def permissions(self) -> list[dict[str, Any]] | None:
        """Return the caller's rights at the account, None when the control plane does not tell."""
        path = f"{self.account_id}/providers/Microsoft.Authorization/permissions"
        try:
            return await self.arm.pages(
                path, doing="read permissions", params={"api-version": "2022-04-01"}
            )
        except PlatformError:
            return None

    async def _post(self, name: str, verb: Literal["pause", "resume"]) -> None:
        try:
            await self.arm.send(
                "POST",
                f"{self._path(name)}/{verb}",
                doing=f"{verb} deployment {name}",
                params={"api-version": PAUSING_API_VERSION},
            )
        except PlatformError as error:
            raise self._not_paused(error, PAUSE if verb == "pause" else RESUME) from error

    def _not_paused(self, error: PlatformError, action: str) -> PlatformError:
        """Say what is to be done about it where the service's sentence doesn't."""
        code = (error.code or "").lower()
        hint = error.hint
        if error.status == 403 and code in _NO_RIGHT:
            hint = f"the action {action} is missing at {self.account_id}: {what_to_assign((action,), 'there')}"
        elif code in _NOT_OFFERED:
            hint = f"this control plane does not offer it in api-version {PAUSING_API_VERSION}: take 'promotion.keep: warm'"
        return error.hinted(hint)

    def _path(self, name: str) -> str:
        return f"{self.account_id}/deployments/{name}"


def _deployment(body: Any) -> Deployment:
    try:
        found = to_deployment(convert(body, ArmDeployment, strict=False))
    except msgspec.ValidationError as error:
        raise PlatformError(
            f"the control plane describes a deployment in a form not known: {error}"
        ) from error
    if not found.model_id:
        raise PlatformError(
            f"the control plane describes deployment {found.name} without its model"
        )
    return found


def _readable(body: dict[str, Any]) -> Deployment | None:
    try:
        return _deployment(body)
    except PlatformError as error:
        tags = body.get("tags")
        ours = isinstance(tags, dict) and OWN_TAG in tags
        _log.log(logging.WARNING if ours else logging.DEBUG, "left out of the list: %s", error)
        return None

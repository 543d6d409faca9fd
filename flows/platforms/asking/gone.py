"""Is a live model gone for good, or only out of reach? A refusal that says so is confirmed by the list of what stands."""

from __future__ import annotations

from evals.errors import GatewrightError, PlatformError
from flows.platforms.asking.slot_client import SlotClient
from flows.platforms.base import Connection, HostingPlatform, ServesByModelId

__all__ = ["why_gone"]

_NOT_THERE = frozenset({"deploymentnotfound", "model_not_found"})
_PATIENCE_S = 60.0


async def why_gone(platform: HostingPlatform, connection: Connection, deployment: str) -> str:
    """Ask a live model one word; return the status and code by which it says that it answers no more, else "".

    Gone is a model that was retired (410), and one whose deployment or id is not known (404) and does not stand on the
    platform's own list either. An outage, a timeout, a limit and a refused credential are not. Never raises.
    """
    try:
        async with SlotClient(platform.data, connection, timeout_s=_PATIENCE_S) as slot:
            await slot.ping()
    except PlatformError as error:
        if error.status == 410 or (
            _not_there(error) and await _unlisted(platform, connection, deployment)
        ):
            return f"{error.status} {error.code or ''}".strip()
    except GatewrightError:  # a credential that is refused says nothing of the model
        pass
    return ""


def _not_there(error: PlatformError) -> bool:
    return error.status == 404 and (error.code or "").lower() in _NOT_THERE


async def _unlisted(platform: HostingPlatform, connection: Connection, deployment: str) -> bool:
    try:
        if isinstance(platform, ServesByModelId):
            return not await platform.offers(connection.endpoint.model_id)
        return await platform.get(deployment) is None
    except GatewrightError:
        return False

"""Operations of the control plane that take long: followed by the address that their answer's headers name.

`Azure-AsyncOperation` is asked for a `status`; `Location` answers 202 until it is done. Where neither helps the caller looks
at the resource itself. The address is never taken apart, and never followed to another host.
"""

from __future__ import annotations

from evals.errors import PlatformError
from flows.platforms.asking.service_words import quoted
from flows.platforms.azure.arm.transport import ArmAnswer, ArmClient
from flows.platforms.azure.errors.explain import explained
from flows.platforms.deadlines import Deadline, retry_after

__all__ = ["follow", "out_of_time"]

_ENDED = {"succeeded": True, "failed": False, "canceled": False}


async def follow(arm: ArmClient, begun: ArmAnswer, *, doing: str, deadline: Deadline) -> None:
    """Wait for the end of the operation that `begun` started, by the address its headers name.

    Returns when it succeeded, or when the headers name nothing usable: the caller then looks at the resource
    itself. A state that is not known counts as still going. Raises PlatformError when the operation failed.
    """
    address = begun.headers.get("azure-asyncoperation") or begun.headers.get("location")
    if address is None or not arm.same_origin(address):
        return
    by_status = "azure-asyncoperation" in begun.headers
    asked = retry_after(begun.headers)
    while True:
        answer = await arm.send(
            "GET", address, doing=doing, deadline=deadline, allow=frozenset({404})
        )
        if _at_its_end(answer, by_status=by_status, doing=doing):
            return
        asked = retry_after(answer.headers) or asked or arm.pace.poll
        if not await deadline.pause(asked, _state(answer)):
            raise out_of_time(doing, deadline)


def out_of_time(doing: str, deadline: Deadline) -> PlatformError:
    """Build the error for an operation that did not come to an end in time."""
    return PlatformError(
        f"could not {doing}: not done after {deadline.seconds:.0f} s",
        code="DeadlineExceeded",
        hint="it may still succeed: run the same command again, it goes on from what stands",
    )


def _state(answer: ArmAnswer) -> str:
    """What an operation that goes on last said, for those who wait."""
    status = answer.body.get("status") if isinstance(answer.body, dict) else None
    if not status:
        return f"the operation is under way (HTTP {answer.status})"
    return f"the operation's status is {quoted(str(status))}"


def _at_its_end(answer: ArmAnswer, *, by_status: bool, doing: str) -> bool:
    if answer.status == 404:  # forgotten, or what was deleted is gone: the resource itself tells
        return True
    if not by_status:
        return answer.status != 202
    status = answer.body.get("status") if isinstance(answer.body, dict) else None
    if not isinstance(status, str):
        return True
    succeeded = _ENDED.get(status.lower())
    if succeeded is False:
        error = explained(doing, status=None, body=answer.body, headers=answer.headers)
        raise (
            error
            if answer.code
            else PlatformError(f"could not {doing}: it ended {status}", code=status)
        )
    return succeeded is True

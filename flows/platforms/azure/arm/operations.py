"""Operations of the control plane that take long: followed by the address that their answer's headers name.

`Azure-AsyncOperation` is asked for a `status`; `Location` answers 202 until it is done. Where neither helps the caller looks
at the resource itself. The address is never taken apart, and never followed to another host. It stands at the subscription,
where a role that was assigned at the account gives no right to read it.
"""

from __future__ import annotations

from evals.errors import CredentialError, PlatformError
from flows.platforms.asking.service_words import quoted
from flows.platforms.azure.arm.answers import ArmAnswer
from flows.platforms.azure.arm.transport import ArmClient
from flows.platforms.azure.errors.explain import explained, service_error
from flows.platforms.deadlines import Deadline, retry_after

__all__ = ["follow", "out_of_time"]

_ENDED = {"succeeded": True, "failed": False, "canceled": False, "cancelled": False}
_TELLS_NOTHING = frozenset({401, 403, 404, 410})
"""Not ours to read, forgotten, or what was deleted is gone: the resource itself tells."""


async def follow(arm: ArmClient, begun: ArmAnswer, *, doing: str, deadline: Deadline) -> None:
    """Wait for the end of the operation that `begun` started, by the address its headers name.

    Returns when it succeeded, or when the headers name nothing usable: the caller then looks at the resource
    itself. A state that is not known counts as still going. Raises PlatformError when the operation failed.
    """
    named = [begun.headers.get(name) for name in ("azure-asyncoperation", "location")]
    address = next((one for one in named if one and arm.same_origin(one)), None)
    if address is None:
        return
    by_status = address == named[0]
    asked = retry_after(begun.headers)
    while True:
        answer = await arm.send(
            "GET", address, doing=doing, deadline=deadline, allow=_TELLS_NOTHING
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
    if answer.status in _TELLS_NOTHING:
        return True
    if not by_status:
        return answer.status != 202
    status = answer.body.get("status") if isinstance(answer.body, dict) else None
    if not isinstance(status, str):
        return True
    succeeded = _ENDED.get(status.lower())
    if succeeded is False:
        raise _failure(doing, answer, status)
    return succeeded is True


def _failure(doing: str, answer: ArmAnswer, status: str) -> PlatformError | CredentialError:
    """Why an operation failed: beside its status, or where the resource stands in it."""
    for body in (answer.body, answer.body.get("properties")):
        if service_error(body)[0]:
            return explained(doing, status=None, body=body, headers=answer.headers)
    return PlatformError(f"could not {doing}: it ended {status}", code=status)

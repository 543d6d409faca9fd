"""Refusals that only say "not now": the service serialises the writes of an account, and another one is under way.

Where one code stands for this and for more, only the sentence tells; it is read for that here, and nowhere else.
"""

from __future__ import annotations

import re

__all__ = ["is_busy"]

_ALWAYS = frozenset(
    {
        "requestconflict",
        "anotheroperationinprogress",
        "conflictingconcurrentwritenotallowed",
        "accountprovisioningstateinvalid",
    }
)
# no request of ours carries a condition: what did not match is the service's own, met by a write beside ours
_UNMET = frozenset({"ifmatchpreconditionfailed", "preconditionfailed", "etagmismatch"})
_SAYS_SO = {
    "conflict": re.compile(r"another operation", re.IGNORECASE),
    "accountisnotsucceeded": re.compile(
        r"state:?\s*'?(?:accepted|creating|updating|moving|resolvingdns)\b", re.IGNORECASE
    ),
}


def is_busy(status: int | None, code: str | None, message: str) -> bool:
    """Say whether the same request can go through later, once another operation on the account is over."""
    name = (code or "").lower()
    if status == 412:
        return name in _UNMET
    says_so = _SAYS_SO.get(name)
    return status in {400, 409} and (
        name in _ALWAYS or (says_so is not None and says_so.search(message) is not None)
    )

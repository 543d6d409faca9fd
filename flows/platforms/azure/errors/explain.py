"""The error a person reads for a refused request: code, meaning, the service's own words, and what to do.

A code that is not in the table is never interpreted: it is shown with its message, its request id and where to look it up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evals.errors import CredentialError, PlatformError, Problem
from evals.sampling.endpoint.error_bodies import ServiceFault, read_fault, request_id
from flows.platforms.asking.service_words import BEFORE_THE_SERVICE, in_brackets, look_up, quoted
from flows.platforms.azure.errors.busy import is_busy
from flows.platforms.azure.errors.capacity import subject_of
from flows.platforms.azure.errors.details import details_of
from flows.platforms.azure.errors.meanings import (
    FOR_SUPPORT,
    MEANINGS,
    PASSING,
    TOKEN_CODES,
    WRAPPERS,
)

__all__ = ["explained", "service_error"]

_BY_LOWER = {code.lower(): entry for code, entry in MEANINGS.items()}
_MEANT = frozenset({400, 403})
"""Statuses of a refusal that means the request itself, whatever the code that comes with it."""
_IDENTIFIERS = re.compile(r"\s*Policy identifiers: .*", re.DOTALL)


def service_error(body: Any) -> tuple[str | None, str]:
    """Return (code, message) of an error body, whatever its shape; the inner error's where an outer one only wraps it."""
    fault = _telling(read_fault(body))
    return fault.code, quoted(fault.message)


def explained(
    doing: str, *, status: int | None, body: Any, headers: Mapping[str, str] | None = None
) -> PlatformError | CredentialError:
    """Build the error a person reads for a refused request; `doing` says what was tried ("create deployment x")."""
    fault, sent = _telling(read_fault(body)), headers or {}
    code = _code_meant(fault, status)
    meaning, fix = _BY_LOWER.get(code, ("", ""))
    named_meaning, named_fix = details_of(code, fault, sent)
    if code not in _BY_LOWER:
        meaning, fix = _unknown(fault, status)
    shown = _sentence(doing, status, fault, named_meaning or meaning, request_id(sent))
    fix = named_fix or fix
    if status == 401 or code in TOKEN_CODES:
        fix = _BY_LOWER["authenticationfailed"][1] if code not in _BY_LOWER else fix
        return CredentialError(Problem(where="Azure credentials", message=shown, fix=fix or None))
    about = subject_of(fault)
    unknown = status in _MEANT and not fault.page
    lasts = code not in PASSING if code in _BY_LOWER else unknown
    return PlatformError(
        shown, status=status, code=fault.code, hint=fix or None, about=about, lasting=lasts
    )


def _code_meant(fault: ServiceFault, status: int | None) -> str:
    """The code to look up, in lower case: that of the refusal, or of what it says in other words."""
    code = (fault.code or "").lower()
    if is_busy(status, code, fault.message) and code != "accountprovisioningstateinvalid":
        return "requestconflict"
    if status == 429 and code in {"", "429"} and not fault.page:
        return "toomanyrequests"
    return code


def _telling(fault: ServiceFault) -> ServiceFault:
    """The error that says most: the first with a known code, else the first that is no mere wrapper."""
    coded = [one for one in fault.every() if one.code]
    real = [one for one in coded if (one.code or "").lower() not in WRAPPERS]
    known = [one for one in real if (one.code or "").lower() in _BY_LOWER]
    return next(iter(known or real or coded), fault)


def _unknown(fault: ServiceFault, status: int | None) -> tuple[str, str]:
    """Meaning and fix for a code that the table does not have: none but where it can be looked up."""
    if fault.page or status in {305, 407} or (status is not None and 300 <= status < 400):
        meaning = "the answer is a web page and not the service's" if fault.page else ""
        return meaning, BEFORE_THE_SERVICE
    return "", look_up(fault.code)


def _sentence(
    doing: str, status: int | None, fault: ServiceFault, meaning: str, asked_as: str | None
) -> str:
    name = fault.code or (f"HTTP {status}" if status else "no answer")
    explanation = f": {meaning}" if meaning else ""
    message = _IDENTIFIERS.sub("", fault.message) if meaning else fault.message
    code = (fault.code or "").lower()
    for_support = code not in _BY_LOWER or code in FOR_SUPPORT or (status or 0) >= 500
    added = in_brackets(message, asked_as if for_support else None)
    return f"could not {doing}: {name}{explanation}{added}"

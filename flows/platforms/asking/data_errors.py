"""What refusals of a data plane mean: inference, files and fine-tuning jobs, in the manner of Azure and of OpenAI.

A code that is not in the table is never interpreted: it is shown with its message, its request id and where to look it up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from evals.errors import CredentialError, PlatformError, Problem
from evals.report.numbers import duration
from evals.sampling.endpoint.error_bodies import ServiceFault, request_id
from flows.platforms.asking.service_words import (
    BEFORE_THE_SERVICE,
    NO_API,
    in_brackets,
    look_up,
    quoted,
)
from flows.platforms.deadlines import retry_after

__all__ = ["refused"]

_MEANINGS: Mapping[str, tuple[str, str]] = {
    "deploymentnotfound": (
        "the deployment is missing, has expired, or is not through yet",
        "deploy it again; a developer slot is removed 24 hours after its creation, another fine-tuned deployment after"
        " 15 days without a call",
    ),
    "deploymentnotready": ("the deployment is not through yet", "try again in some minutes"),
    "model_not_found": (
        "the model is not known here, or was shut down",
        "check the model id and that the key belongs to the organisation that owns it",
    ),
    "insufficient_quota": ("the account has no credit left", "see the billing page of the account"),
    "authenticationtypedisabled": (
        "the resource does not take keys",
        "unset the key and sign in by 'az login' or a managed identity",
    ),
    "permissiondenied": (
        "a role on the data plane is missing",
        "have 'Cognitive Services OpenAI User' assigned at the account",
    ),
    "operationnotsupported": (
        "the model does not do this operation",
        "check which model stands under the name, and whether it takes chat completions",
    ),
    "invalidpayload": ("the request does not fit", "see what the service returned"),
    "jsonlvalidationfailed": (
        "the training file is not valid",
        "mend the lines that are named: one JSON object a line, each with 'messages'",
    ),
    "fileimportfailed": ("the file could not be taken in", "upload it again"),
    "quotaexceeded": (
        "a limit of the account is reached: jobs at once, jobs in all, or files",
        "delete files or jobs that are not needed, or wait until a running job has ended",
    ),
    "unexpectedentitystate": (
        "the job, file or deployment is in a state that does not allow this",
        "see its status; what is running has to end first",
    ),
    "itemdoesalreadyexist": ("it is there already", "use the one that is there"),
    "resourcenotfound": (
        "there is no such job, file or model at this address",
        "check the id and the address",
    ),
    "notfound": (
        "there is no such job, file or model at this address",
        "check the id and the address",
    ),
}
"""Lower-case code -> (what it means, what to do)."""

_LASTING = frozenset(
    {
        "authenticationtypedisabled",
        "insufficient_quota",
        "invalidpayload",
        "jsonlvalidationfailed",
        "operationnotsupported",
        "permissiondenied",
    }
)
"""Codes of what no repeat mends; lower case."""

_BY_STATUS: Mapping[int, tuple[str, str]] = {
    403: ("the credential is good and may not do this", "check roles and network rules"),
    404: ("there is nothing of that name or path", "check the id, the address and the api-version"),
    410: ("the model is retired", "deploy one that lives, or train on a newer base model"),
    423: ("the deployment is paused", "resume it"),
    429: ("the rate limit is used up", "try again later, or raise the slot's capacity"),
}
_GENERAL = frozenset(
    {"notfound", "resourcenotfound", "forbidden", "unauthorized", "toomanyrequests"}
)
"""Codes that say no more than their status does."""

_ACTION = re.compile(r"data action `?([\w./-]+)`?")
_FIREWALL = re.compile(r"virtual network|firewall|public access is disabled", re.IGNORECASE)
_NO_SUBDOMAIN = re.compile(r"custom subdomain for token", re.IGNORECASE)
_LONG_WAIT_S = 3600.0


def refused(
    status: int,
    fault: ServiceFault,
    headers: Mapping[str, str],
    doing: str,
    *,
    address: str,
    credential: str,
) -> PlatformError | CredentialError:
    """Put an answer that is no success into our words; `doing` says what was tried ("read job x").

    `credential` is what holds the credential for `address`.
    """
    code = (fault.code or "").lower()
    meaning, fix = _named(fault) or _MEANINGS.get(code) or _BY_STATUS.get(status) or ("", "")
    if 300 <= status < 400:
        meaning, fix = f"{address} sends on to {_where(headers)}, and is no OpenAI API", NO_API
    elif fault.page:
        meaning, fix = "the answer is a web page and not the service's", BEFORE_THE_SERVICE
    unknown = code not in _MEANINGS and (status not in _BY_STATUS or code not in _plain(status))
    traced = request_id(headers) if unknown or status >= 500 else None
    added = in_brackets(fault.message, traced)
    if status == 401 and code != "permissiondenied":
        return CredentialError(
            Problem(
                where=credential,
                message=f"could not {doing}: {address} refuses the credential{added}",
                fix="check that it belongs to this address and has not been revoked",
            )
        )
    explanation = f": {meaning}{_asked_wait(status, headers)}" if meaning else ""
    return PlatformError(
        f"could not {doing}: {quoted(fault.code or '') or f'HTTP {status}'}{explanation}{added}",
        status=status,
        code=fault.code,
        lasting=code in _LASTING or status in {403, 410},
        hint=fix or (look_up(fault.code) if unknown else "") or None,
    )


def _where(headers: Mapping[str, str]) -> str:
    """The host that a redirect leads to: the rest of its address may hold what is secret."""
    location = {name.lower(): value for name, value in headers.items()}.get("location", "")
    host = re.match(r"https?://(?:[^/?#@]*@)?[^/?#@]+", location, re.IGNORECASE)
    return quoted(re.sub(r"//.*@", "//", host[0])) if host else "another page"


def _plain(status: int) -> frozenset[str]:
    """Codes that are a status in other words."""
    return frozenset({"", str(status), f"http_{status}"}) | _GENERAL


def _named(fault: ServiceFault) -> tuple[str, str] | None:
    """What the message names: a data action that is missing, an account without an address of its own, a network rule."""
    if action := _ACTION.search(fault.message):
        return (
            f"the data action {action[1]} is missing",
            "have a role assigned at the account that has it ('Cognitive Services OpenAI User' to ask models, 'Cognitive"
            " Services OpenAI Contributor' to train too); it takes some minutes to be seen",
        )
    if _NO_SUBDOMAIN.search(fault.message):
        return (
            "the account has no custom subdomain, and so takes keys only",
            "give it one (az cognitiveservices account update --custom-domain …) and name its address as 'endpoint', or"
            " set a key of the account (AZURE_OPENAI_API_KEY)",
        )
    if _FIREWALL.search(fault.message):
        return (
            "a network rule of the account keeps this machine out",
            "run it where the account is reached, or let this address in (the account's Networking page)",
        )
    return None


def _asked_wait(status: int, headers: Mapping[str, str]) -> str:
    """A wait that nobody sits out: some limits are for a whole day."""
    asked = retry_after({name.lower(): value for name, value in headers.items()})
    if status != 429 or asked is None or asked < _LONG_WAIT_S:
        return ""
    return f", and it asks to wait for {duration(asked)}"

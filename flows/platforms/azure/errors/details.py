"""What a refusal names beyond its code: the row of the quota, a policy, a lock, a role, a tenant, a model, a date.

Each reader returns (meaning, what to do); an empty text leaves what the table says. The service's sentences are read
for people only: nothing is decided on what is found in them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from evals.report.numbers import duration
from evals.sampling.endpoint.error_bodies import ServiceFault
from flows.platforms.asking.service_words import quoted
from flows.platforms.azure.errors.capacity import capacity, properties, quota
from flows.platforms.azure.roles import what_to_assign
from flows.platforms.deadlines import retry_after

__all__ = ["details_of"]

Headers = Mapping[str, str]
Reader = Callable[[ServiceFault, Headers], tuple[str, str]]

_ACTION = re.compile(r"perform action '([^']+)'(?: (?:over|on) scope '([^']+)')?")
_LINKED = re.compile(r"action\(s\) '([^']+)' on the linked scope\(s\) '([^']+)'")
_TENANT = re.compile(r"authorization_uri=\"?https://[^/\"]+/([0-9A-Za-z.-]+)")
_ASSIGNMENT = re.compile(
    r'\\?"policyAssignment\\?"\s*:\s*\{\s*\\?"name\\?"\s*:\s*\\?"([^"\\]+)\\?"'
    r'(?:\s*,\s*\\?"id\\?"\s*:\s*\\?"([^"\\]+)\\?")?'
)
_LOCKED = re.compile(r"cannot perform (\w+) operation.*?locked:\s*(.*)", re.DOTALL)
_QUOTED = re.compile(r"'([^']+)'")
_NAMESPACE = re.compile(r"namespace '([\w.]+)'")
_MODEL = re.compile(r"model '([^']*Name:[^']*)'")
_DENIED = re.compile(
    r"not have access to(?: this model| the model)?(.*)", re.DOTALL | re.IGNORECASE
)
_SINCE = re.compile(r"since (\d{1,2}/\d{1,2}/\d{4}|\d{4}-\d{2}-\d{2})")
_GROUP = re.compile(r"/resourceGroups/([^/]+)", re.IGNORECASE)
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)
_ACCOUNT = re.compile(r".*/providers/Microsoft\.CognitiveServices/accounts/[^/]+", re.IGNORECASE)
_MOST_NAMED = 3


def details_of(code: str, fault: ServiceFault, headers: Headers) -> tuple[str, str]:
    """Return (meaning, what to do) as far as the refusal itself names them; empty texts otherwise.

    `code` is the one to look up, in lower case.
    """
    reader = _READERS.get(code)
    return reader(fault, headers) if reader is not None else ("", "")


def _policy(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    named = list(dict.fromkeys(_assignments(fault)))[:_MOST_NAMED]
    if not named:
        return "", ""
    names = ", ".join(f"'{name}'" + (f" at {scope}" if scope else "") for name, scope in named)
    what = "policy assignment" if len(named) == 1 else "policy assignments"
    return (
        f"forbidden by the {what} {names}",
        f"ask who owns it for an exemption, or change what it asks for ({_policy_list(named[0][1])})",
    )


def _policy_list(scope: str) -> str:
    """The command that shows the assignment; without a scope all that apply to the subscription, inherited ones too."""
    narrowed = f"--scope {shlex.quote(scope)}" if scope else "--disable-scope-strict-match"
    return f"az policy assignment list {narrowed}"


def _assignments(fault: ServiceFault) -> Iterator[tuple[str, str]]:
    """Name and scope of each policy assignment: from the structured records where there are any, else from the sentence."""
    named = False
    for one in fault.every():
        for info in one.info:
            keys = {str(key).lower(): value for key, value in info.items()}
            name = keys.get("policyassignmentdisplayname") or keys.get("policyassignmentname")
            scope = keys.get("policyassignmentscope") or _scope_of(keys.get("policyassignmentid"))
            if name or scope:
                named = True
                yield quoted(str(name or "unnamed")), quoted(str(scope or ""))
    if not named:
        for name, identity in _ASSIGNMENT.findall(fault.message):
            yield quoted(name), quoted(_scope_of(identity))


def _scope_of(assignment_id: object) -> str:
    """The scope a policy assignment's id begins with."""
    text = str(assignment_id or "")
    return re.split("/providers/Microsoft.Authorization/", text, flags=re.IGNORECASE)[0]


def _lock(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    found = _LOCKED.search(fault.message)
    scopes = _QUOTED.findall(found[2])[:_MOST_NAMED] if found else []
    if found is None or not scopes:
        return "", ""
    where = ", ".join(scopes)
    return (
        f"a lock at {where} forbids to {found[1]}",
        f"have it removed ({_lock_list(scopes[0])} shows its id; az lock delete --ids ID), then run the same command again",
    )


def _lock_list(scope: str) -> str:
    if "/providers/" in scope.lower():
        return f"az lock list --resource {shlex.quote(scope)}"
    group, subscription = _GROUP.search(scope), _SUBSCRIPTION.search(scope)
    narrowed = f" --resource-group {shlex.quote(group[1])}" if group else ""
    return f"az lock list{narrowed}" + (
        f" --subscription {shlex.quote(subscription[1])}" if subscription else ""
    )


def _registration(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    found = _NAMESPACE.search(fault.message)
    namespace = found[1] if found else "Microsoft.CognitiveServices"
    return (
        f"the subscription is not registered for {namespace}",
        f"az provider register --namespace {namespace} --wait, with a right on the subscription; takes some minutes",
    )


def _access(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    message = fault.message.lower()
    if denied := _DENIED.search(fault.message):
        model = _MODEL.search(fault.message)
        named = _model_name(model[1]) if model else quoted(denied[1].strip(" .'")) or "the model"
        return (
            f"the subscription has no access to {named}: such models are given out on application",
            "apply for it at https://aka.ms/oai/access with this subscription, or take one that has access",
        )
    if "quotaid/feature" in message:
        return (
            "the subscription's offer does not include this service",
            "take a subscription that is paid as you go: free, student and credit offers often lack it; or ask Azure"
            " support for a subscription with access",
        )
    return "", ""


def _deprecated(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    model, since = _MODEL.search(fault.message), _SINCE.search(fault.message)
    if model is None and since is None:
        return "", ""
    named = _model_name(model[1]) if model else "the model"
    begun = f" since {_day(since[1])}" if since else ""
    return f"{named} takes no new deployments{begun}", ""


def _model_name(listed: str) -> str:
    """'Format:OpenAI,Name:gpt-4o,Version:2024-08-06' as gpt-4o 2024-08-06."""
    parts = dict(re.findall(r"(\w+)\s*:\s*([^,]*)", listed))
    name, version = parts.get("Name", "").strip(), parts.get("Version", "").strip()
    return " ".join(part for part in (name, version) if part) or quoted(listed)


def _day(text: str) -> str:
    if "/" not in text:
        return text
    try:  # the service writes month first
        return datetime.strptime(text, "%m/%d/%Y").date().isoformat()
    except ValueError:
        return text


def _role(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    found = _ACTION.search(fault.message)
    if found is None:
        return "", ""
    return "", _missing(found[1], found[2] or "the account")


def _source_role(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    linked, found = _LINKED.search(fault.message), _ACTION.search(fault.message)
    if linked is not None:
        return "", _missing(linked[1], linked[2])
    if found is None:
        return "", ""
    return "", _missing(found[1], found[2] or "the source account")


def _missing(action: str, scope: str) -> str:
    # a role is assigned where there is something: at the account, not at a deployment that is yet to be made
    at = _ACCOUNT.match(scope)
    scope = at[0] if at else scope
    return f"the action {action} is missing at {scope}: {what_to_assign((action,), 'there')}"


def _throttled(_fault: ServiceFault, headers: Headers) -> tuple[str, str]:
    asked = retry_after({name.lower(): value for name, value in headers.items()})
    return "", f"try again in {duration(asked)}: so long it asks to be left alone" if asked else ""


def _tenant(_fault: ServiceFault, headers: Headers) -> tuple[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    found = _TENANT.search(lower.get("www-authenticate", ""))
    if found is None:
        return "", ""
    return "", (
        f"the subscription belongs to tenant {found[1]}: run 'az login --tenant {found[1]}', or set"
        " 'tenant' in the target's azure_openai block"
    )


_READERS: Mapping[str, Reader] = {
    "insufficientquota": quota,
    "invalidcapacity": capacity,
    "invalidresourceproperties": properties,
    "requestdisallowedbypolicy": _policy,
    "scopelocked": _lock,
    "missingsubscriptionregistration": _registration,
    "subscriptionnotregistered": _registration,
    "specialfeatureorquotaidrequired": _access,
    "servicemodeldeprecated": _deprecated,
    "servicemodeldeprecating": _deprecated,
    "toomanyrequests": _throttled,
    "subscriptionrequeststhrottled": _throttled,
    "resourcecollectionrequeststhrottled": _throttled,
    "authorizationfailed": _role,
    "linkedauthorizationfailed": _source_role,
    "invalidauthenticationtokentenant": _tenant,
}
"""Lower-case code -> its reader."""

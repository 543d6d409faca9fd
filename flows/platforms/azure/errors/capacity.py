"""What refusals say of amounts: a quota that does not reach, a capacity out of its range, a type that is not offered."""

from __future__ import annotations

import re
from collections.abc import Mapping

from evals.sampling.endpoint.error_bodies import ServiceFault
from flows.platforms.azure.errors.quota_numbers import QuotaNumbers, read_quota_numbers

__all__ = ["capacity", "properties", "quota", "subject_of"]

Headers = Mapping[str, str]

_LEAST = re.compile(r"at least '?(\d[\d,]*)|greater than '?(\d[\d,]*)", re.IGNORECASE)
_MOST = re.compile(r"(?:no more than|at most) '?(\d[\d,]*)", re.IGNORECASE)
_GIVEN = re.compile(r"capacity '(-?[\d,]+)'", re.IGNORECASE)
_OF_TYPE = re.compile(r"\b(?:sku|scale type|region)\b", re.IGNORECASE)


def quota(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    """Tell how much of which row is needed and left."""
    found = read_quota_numbers(fault.message)
    if found.left is None:
        needed = f": needed {_count(found.needed)}" if found.needed is not None else ""
        return (f"the quota {found.row} does not reach{needed}" if found.row else ""), ""
    if found.needed is None:
        return "", ""
    numbers = f"needed {_count(found.needed)}, left {_count(found.left)}"
    if found.limit is not None:
        numbers += f" of {_count(found.limit)}"
    row = f"quota {found.row}: " if found.row else ""
    if found.unit == "fine-tuned deployments":
        fix = "delete one that is not needed ('gatewright sweep')"
        return "", f"{row}{numbers} {found.unit}: {fix}"
    return "", f"{row}{numbers} ({found.unit}): {_lower_or_ask(found)}"


def _lower_or_ask(found: QuotaNumbers) -> str:
    ask = "ask for more in the portal under 'Quota'"
    whole = int(found.left or 0)  # what a slot can be given
    if not whole:
        return f"delete a deployment that uses it ('gatewright sweep'), or {ask}"
    return f"lower the slot's capacity to {_count(whole)} or less, delete what is not needed ('gatewright sweep'), or {ask}"


def properties(fault: ServiceFault, headers: Headers) -> tuple[str, str]:
    """One code for whatever is wrong with a property: the sentence says with which."""
    about = subject_of(fault)
    if about == "capacity":
        return capacity(fault, headers)
    if about == "sku":
        return (
            "the SKU is not offered for this model in this region",
            "choose another SKU for the slot",
        )
    return "", ""


def subject_of(fault: ServiceFault) -> str | None:
    """Return the property that is refused where one code stands for all of them: 'capacity', 'sku', None when it isn't told."""
    if (fault.code or "").lower() != "invalidresourceproperties":
        return None
    if "capacity" in fault.message.lower():
        return "capacity"
    return "sku" if _OF_TYPE.search(fault.message) else None


def capacity(fault: ServiceFault, _headers: Headers) -> tuple[str, str]:
    """Tell which capacities fit."""
    given, most = _GIVEN.search(fault.message), _MOST.search(fault.message)
    least = _LEAST.search(fault.message)
    if least is None and most is None:
        return "the capacity does not fit this model and SKU", "change the slot's 'capacity'"
    bounds = []
    if least is not None:
        bounds.append(f"at least {least[1] or _count(_whole(least[2]) + 1)}")
    if most is not None:
        bounds.append(f"at most {_count(_whole(most[1]))}")
    named = f"capacity {given[1]}" if given else "the capacity"
    return (
        f"{named} does not fit this model and SKU",
        f"set the slot's 'capacity' to {' and '.join(bounds)}",
    )


def _whole(digits: str) -> int:
    return int(digits.replace(",", ""))


def _count(number: float) -> str:
    return f"{number:,.10g}" if number != int(number) else f"{int(number):,}"

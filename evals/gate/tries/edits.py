"""What changed between two gates, key by key, and whether a model passes more easily since. The only place that says so.

Each rule is monotone: it looks at one key alone. What no rule knows, a key of a later version for instance, counts as
looser; so does a change that can't be compared, such as a margin that became a share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from evals.checks.check import Check
from evals.gate.policy import GatePolicy
from evals.records import Edit, Record

__all__ = ["gate_edits"]

Rule = Callable[[Any, Any], bool]
"""From the value before and the value now to whether that is looser."""


def gate_edits(before: GatePolicy, now: GatePolicy) -> tuple[Edit, ...]:
    """Return every difference that decides something, the gate's own keys first, then those of its checks."""
    return (*_settings(before, now), *_checks(before.checks, now.checks))


def _lower(before: Any, now: Any) -> bool:
    return bool(now < before)


def _higher(before: Any, now: Any) -> bool:
    return bool(now > before)


def _never(before: Any, now: Any) -> bool:
    return False


def _later_in(*order: Any) -> Rule:
    """Looser is what stands later in this order; what does not stand in it is not known, and so is looser."""

    def rule(before: Any, now: Any) -> bool:
        known = before in order and now in order
        return not known or order.index(now) > order.index(before)

    return rule


_GATE: Mapping[str, Rule] = {
    "first_release": _later_in("refuse", "needs_approval", "absolute_checks"),
    "confidence": _lower,
    "min_scored": _lower,
    # When asking ends has no part in the promise.
    "early_stop": _never,
    "futility": _never,
    "missing": _later_in("worst_case", "at_random"),
    "on_inconclusive": _later_in("fail", "needs_approval"),
    "approval.required": _lower,
    "approval.not_requester": _later_in(True, False),
    "approval.expires_after_s": _higher,
    "override.approvers": _lower,
    "override.expires_after_s": _higher,
    "training_overlap.exact": _later_in("refuse", "report"),
    "training_overlap.near": _later_in("refuse", "report"),
    # Fewer candidates, or fewer seconds, leave more of the promise to each.
    "family.candidates": _lower,
    "family.window_s": _lower,
    "family.confidence": _lower,
    "anchor.candidates": _lower,
}
_NO_RULES = frozenset({"name", "path", "digest", "checks"})

_CHECK: Mapping[str, Rule] = {
    "mode": _later_in("enforce", "shadow"),
    "overridable": _later_in(False, True),
    "decide_on": _later_in("bound", "point"),
    "if_too_few": _later_in("fail", "inconclusive", "report"),
    "confidence": lambda before, now: before is not None and (now is None or now < before),
}
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))
_IDENTITY = frozenset({"metric", "suite", "kind", "against", "where", "each", "field", "line"})


def _settings(before: GatePolicy, now: GatePolicy) -> Iterator[Edit]:
    for name in GatePolicy.__struct_fields__:
        if name in _NO_RULES:
            continue
        old, new = getattr(before, name), getattr(now, name)
        if old == new:
            continue
        if old is None or new is None:
            change = f"{_shown(old, name)} -> {_shown(new, name)}"
            yield Edit(of="gate", field=name, change=change, looser=new is None)
            continue
        parts = _parts(old), _parts(new)
        for key in dict.fromkeys((*parts[0], *parts[1])):
            yield from _setting(f"{name}.{key}" if key else name, *(one.get(key) for one in parts))


def _parts(value: Any) -> dict[str, Any]:
    """The keys of a block; a plain value is a block of its own, without a name."""
    if isinstance(value, Record):
        return msgspec.structs.asdict(value)
    return dict(value) if isinstance(value, dict) else {"": value}


def _setting(key: str, old: Any, new: Any) -> Iterator[Edit]:
    if old == new:
        return
    rule = _GATE.get(key)
    looser = rule is None or old is None or new is None or rule(old, new)
    block, dot, last = key.rpartition(".")
    change = f"{_shown(old, last)} -> {_shown(new, last)}"
    yield Edit(of="gate", field=f"{block}{dot}{_in_file(last)}", change=change, looser=looser)


def _checks(before: Sequence[Check], now: Sequence[Check]) -> Iterator[Edit]:
    """Compare checks by what they measure, so that moving one within the file is no change."""
    left: dict[Any, list[Check]] = defaultdict(list)
    for check in _authored(before):
        left[_about(check)].append(check)
    for check in _authored(now):
        same = left[_about(check)]
        if same:
            yield from _check(same.pop(0), check)
        else:
            yield Edit(of="gate", field=check.field, change=f"added ({check.label})")
    for gone in (check for rest in left.values() for check in rest):
        looser = gone.mode == "enforce"
        yield Edit(of="gate", field=gone.field, change=f"removed ({gone.label})", looser=looser)


def _authored(checks: Sequence[Check]) -> Iterator[Check]:
    """Leave out checks against the anchor: they follow from the others and from `anchor`, which is compared itself."""
    return (check for check in checks if check.against == "baseline")


def _about(check: Check) -> Any:
    where = tuple(sorted(check.where.items()))
    return check.metric, check.suite, check.kind, where, check.each


def _check(old: Check, new: Check) -> Iterator[Edit]:
    decided = old.mode == "enforce"
    entry = new.field.rpartition(".")[0] or new.field
    if (old.threshold, old.percent) != (new.threshold, new.percent):
        change = f"{_amount(old)} -> {_amount(new)}"
        looser = decided and (old.percent != new.percent or _looser_bar(old, new))
        yield Edit(of="gate", field=new.field, change=change, looser=looser)
    for name in Check.__struct_fields__:
        before, now = getattr(old, name), getattr(new, name)
        if name in _IDENTITY or name in ("threshold", "percent") or before == now:
            continue
        yield Edit(
            of="gate",
            field=f"{entry}.{name}",
            change=f"{_shown(before)} -> {_shown(now)}",
            looser=decided and _looser_check(name, before, now, old, new),
        )


def _looser_bar(old: Check, new: Check) -> bool:
    """A bar that a measured value has to lie above is looser when lower; a margin is when wider."""
    margin = old.relative and not old.spec.superiority
    wider = margin or old.spec.rising
    return new.threshold > old.threshold if wider else new.threshold < old.threshold


def _looser_check(name: str, before: Any, now: Any, old: Check, new: Check) -> bool:
    if name == "min_cases":
        # A slice that is too small stops deciding where it is only reported then; elsewhere it has to prove more.
        reported = "report" in (old.if_too_few, new.if_too_few)
        return bool((now or 0) > (before or 0)) if reported else bool((now or 0) < (before or 0))
    rule = _CHECK.get(name)
    return rule is None or rule(before, now)


def _amount(check: Check) -> str:
    return _share(check.threshold, check.percent)


def _share(amount: float, percent: bool) -> str:
    return f"{amount * 100:g}%" if percent else f"{amount:g}"


def _in_file(key: str) -> str:
    """What a key of a policy is called in its file."""
    return "margin" if key == "margins" else key.removesuffix("_s")


def _shown(value: Any, key: str = "") -> str:
    """A value as the file has it; `key` is what the policy calls it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Record):
        parts = msgspec.structs.asdict(value).items()
        said = ((name, part) for name, part in parts if part not in (None, {}))
        return ", ".join(f"{_in_file(name)} {_shown(part, name)}" for name, part in said)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_shown(part)}' for name, part in value.items())}}}"
    if isinstance(value, tuple):
        return _share(*value)  # an amount, and whether it is a share
    if key.endswith("_s"):
        return _duration(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: int) -> str:
    size, unit = next((one for one in _UNITS if seconds % one[0] == 0), (1, "s"))
    return f"{seconds // size}{unit}"

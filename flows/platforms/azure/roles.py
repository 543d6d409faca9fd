"""Which built-in role has an action, so that nobody is sent after a role that would not help.

After Microsoft's list of built-in roles for AI and machine learning (as of December 2025). `Cognitive Services OpenAI
Contributor`, which the vendor recommends for fine-tuning, writes and deletes deployments and does not pause them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

__all__ = ["DELETE", "PAUSE", "READ", "RESUME", "WRITE", "matches", "role_with", "what_to_assign"]

_PROVIDER = "Microsoft.CognitiveServices"
READ, WRITE, DELETE, PAUSE, RESUME = (
    f"{_PROVIDER}/accounts/deployments/{verb}"
    for verb in ("read", "write", "delete", "pause/action", "resume/action")
)

_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "Cognitive Services Usages Reader": (f"{_PROVIDER}/locations/usages/read",),
    "Cognitive Services OpenAI Contributor": (f"{_PROVIDER}/*/read", WRITE, DELETE),
    "Cognitive Services Contributor": (f"{_PROVIDER}/*",),
}
"""Role -> actions, the narrower role first; what these roles may besides is of no use here."""


def matches(patterns: Iterable[object], action: str) -> bool:
    """Say whether an action is among patterns such as 'Microsoft.CognitiveServices/*/read', in any letter case."""
    return any(fnmatchcase(action.lower(), str(one).lower()) for one in patterns)


def role_with(actions: Collection[str]) -> str | None:
    """Return the narrowest built-in role that has all these actions, None when no role known here does."""
    for role, held in _BUILT_IN.items():
        if all(matches(held, action) for action in actions):
            return role
    return None


def what_to_assign(actions: Collection[str], where: str = "at the account") -> str:
    """Say what gives the missing actions to whoever lacks them: a role that has them, or a custom one."""
    role = role_with(actions)
    if role is None:
        return f"have a role with {' and '.join(actions)} assigned {where}"
    how = f"have '{role}' assigned {where} (az role assignment create)"
    if {PAUSE, RESUME}.isdisjoint(actions):
        return how
    return f"{how}, or a custom role with just that: docs/azure.md has its definition"

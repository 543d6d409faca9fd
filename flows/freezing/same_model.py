"""Sees that a freeze asks the model that is recorded as live, and no other that was put behind its deployment."""

from __future__ import annotations

from msgspec.structs import replace

from evals.errors import RefusedError
from evals.sampling.journal.journal import Journal
from flows.deployments.standing import astray
from flows.freezing.question import ROLE, Question
from flows.platforms.base import HostingPlatform
from flows.platforms.model_names import is_fine_tuned, same_id

__all__ = ["AnotherModelError", "require_answers_of_it", "require_same_model"]


class AnotherModelError(RefusedError):
    """Another model than the one that is recorded as live answers, or did."""


async def require_same_model(question: Question, platform: HostingPlatform) -> str:
    """Look at what the live deployment serves; return why that can't be seen, "" when it is the model recorded as live.

    A deployment that is gone is not refused here, since asking it fails anyway. Raises AnotherModelError when it serves
    another model.
    """
    live = question.live
    # One that was adopted has no deployment on record: it answers under its own name.
    found = await astray(platform, replace(live, deployment=live.deployment or live.model_id))
    if found is None or found.kind == "not_ready":
        return ""
    if found.kind == "other_model":
        raise _refused(question, found.message)
    return found.message


def require_answers_of_it(question: Question) -> None:
    """Raise AnotherModelError when an answer names another fine-tune as its author. A base model's name, or an alias, tells nothing."""
    live = question.live
    with Journal.open(question.folder / "journal", read_only=True) as journal:
        for opened in question.plan.suites:
            for entry in journal.entries(ROLE, opened.suite.name):
                named = entry.served_by or ""
                if is_fine_tuned(named) and not same_id(named, live.model_id):
                    message = f"answers came from {named}, and {live.model_id} is recorded as live"
                    raise _refused(question, message)


def _refused(question: Question, found: str) -> AnotherModelError:
    target = question.plan.target.name
    return AnotherModelError(
        f"{found}: nothing was frozen, and what was answered is discarded",
        hint=f"gatewright verify {target} shows it; --put-back makes the recorded model stand again, --adopt records the other;"
        " then give the same command again",
    )

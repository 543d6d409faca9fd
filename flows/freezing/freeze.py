"""Freezes what is live: everything is asked, kept for good, and put on record with a signed statement."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evals.errors import InfrastructureError
from evals.sampling.progress.snapshot import ProgressSink
from flows.freezing.asking import ask_all
from flows.freezing.question import Question, pose
from flows.freezing.same_model import AnotherModelError
from flows.freezing.seal import seal
from flows.freezing.statement import frozen_statement
from flows.registry.frozen import FrozenOnRecord, by_id
from flows.registry.opening import open_registry
from flows.release.signing import envelope, signing_key
from flows.settings import Settings

__all__ = ["REPEATS", "Frozen", "freeze", "question_of"]

REPEATS = 3
"""How often each case is asked unless it is said otherwise: enough that one odd answer does not speak for the model."""


_ABANDONED_S = 30 * 86400


@dataclass(frozen=True, slots=True)
class Frozen:
    """What is on record; `new` is False when the same question had been frozen before, and nothing was asked."""

    on_record: FrozenOnRecord
    new: bool


def question_of(
    settings: Settings,
    target: str,
    *,
    repeats: int = REPEATS,
    prompts: Path | None = None,
    again: bool = False,
) -> Question:
    """Return what is going to be asked; see `flows.freezing.question.pose`, also for the errors."""
    with open_registry(settings) as registry:
        return pose(settings, registry, target, repeats=repeats, prompts=prompts, again=again)


async def freeze(
    question: Question,
    *,
    progress: ProgressSink | None = None,
    with_losses: bool = False,
) -> Frozen:
    """Carry a freeze out, or go on with it where a process before was stopped; what was frozen already is found.

    Raises:
        CredentialError: the signing key can't be read.
        SamplingError: see `flows.freezing.asking.ask_all`.
        InfrastructureError: answers are lost, and `with_losses` does not say that they may be.
        RefusedError: another model than the live one answered; nothing of it stays.
    """
    settings, target = question.settings, question.plan.target.name
    key = signing_key()  # before money is spent
    if (known := _on_record(question)) is not None:
        shutil.rmtree(question.folder, ignore_errors=True)
        return Frozen(known, new=False)
    with open_registry(settings) as registry:
        begun = question.begin(registry.now())
    try:
        asked = await ask_all(question, progress)
    except AnotherModelError:
        shutil.rmtree(question.folder, ignore_errors=True)
        raise
    if asked.lost and not with_losses:
        raise InfrastructureError(
            f"{asked.lost:,} answers of {question.live.model_id} were lost, so that nothing is frozen yet: give the same command"
            " again, which asks for them alone, or freeze without them by --with-losses"
        )
    baseline = seal(question, begun, asked)
    with open_registry(settings) as registry:
        statement = envelope(frozen_statement(baseline, registry.chain_head()), key)
        registry.put_frozen(baseline, statement, actor=settings.actor)
        now = registry.now()
        found = by_id(registry.frozen(target), baseline.frozen_id)
    assert found is not None  # it was put there
    shutil.rmtree(question.folder, ignore_errors=True)  # all of it is kept elsewhere now
    _drop_abandoned(question, now)
    return Frozen(found, new=True)


def _drop_abandoned(question: Question, now: str) -> None:
    """Remove the folders of the target's unfinished freezes that nobody has gone on with for long; prompts of production may be among it."""
    own = re.compile(re.escape(question.plan.target.name) + r"-[0-9a-f]{16}(-\d+)?")
    long_ago = datetime.fromisoformat(now).timestamp() - _ABANDONED_S
    for folder in question.folder.parent.iterdir():
        written = max((path.stat().st_mtime for path in folder.rglob("*")), default=long_ago)
        if own.fullmatch(folder.name) and written < long_ago:
            shutil.rmtree(folder, ignore_errors=True)


def _on_record(question: Question) -> FrozenOnRecord | None:
    with open_registry(question.settings) as registry:
        return next(
            (
                one
                for one in reversed(registry.frozen(question.plan.target.name))
                if one.baseline.question == question.digest and not one.set_aside
            ),
            None,
        )

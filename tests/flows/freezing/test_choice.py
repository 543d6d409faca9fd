"""Of several frozen baselines of one model the one that covers most of today's suites is taken, and what was passed over is said."""

from __future__ import annotations

import pytest
from support.letters import ModelHost
from support.succession import Succession, model

from evals.errors import ConfigurationError, RefusedError
from flows.evaluation.kept.frozen import frozen_folder
from flows.evaluation.plan import plan_target
from flows.freezing.freeze import freeze, question_of
from flows.registry.frozen import FrozenBaseline
from flows.registry.opening import open_registry

pytestmark = pytest.mark.slow


async def frozen_again(line: Succession, repeats: int) -> FrozenBaseline:
    return (
        await freeze(question_of(line.settings, "line", repeats=repeats, again=True))
    ).on_record.baseline


def ids(line: Succession) -> list[str]:
    with open_registry(line.settings) as registry:
        return [one.baseline.frozen_id for one in registry.frozen("line")]


async def test_a_later_one_that_covers_less_does_not_take_the_place_of_the_good_one(
    frozen: Succession, host: ModelHost
) -> None:
    frozen.write_cases(changed=290)
    later = await frozen_again(frozen, 3)
    frozen.write_cases()
    (good, _) = ids(frozen)
    host.gone.add(model("v1"))
    _, verdict = await frozen.judged("v2", wrong=4)
    assert verdict.against == f"frozen:{good}"
    (said,) = [reason for reason in verdict.reasons if "passed over" in reason]
    assert f"frozen:{later.frozen_id} (covers 10 of 300 cases, asked 3 times a case" in said
    assert plan_target(frozen.settings, "line", against="frozen").against == f"frozen:{good}"


async def test_of_equals_the_one_with_more_repeats_and_then_the_newest_is_taken(
    frozen: Succession,
) -> None:
    await frozen_again(frozen, 1)
    (twice, _) = ids(frozen)
    assert plan_target(frozen.settings, "line", against="frozen").against == f"frozen:{twice}"
    newest = await frozen_again(frozen, 2)
    assert (
        plan_target(frozen.settings, "line", against="frozen").against
        == f"frozen:{newest.frozen_id}"
    )


async def test_one_that_was_set_aside_is_kept_shown_and_never_chosen_until_it_is_restored(
    frozen: Succession, host: ModelHost
) -> None:
    (first,) = ids(frozen)
    said = ("freeze", "line", "--reason", "v3 stood behind the name")
    assert frozen.command("freeze", "line", "--set-aside", first).code == 3, "without a reason"
    assert frozen.command("freeze", "line", "--reason", "x").code == 3
    done = frozen.command(*said, "--set-aside", first)
    assert (done.code, done.err) == (0, "")
    again = frozen.command(*said, "--set-aside", first)
    assert "already" in again.out
    listed = frozen.command("freeze", "line", "--list").out
    assert "v3 stood behind the name" in listed
    with open_registry(frozen.settings) as registry:
        assert registry.verify() == ()
        assert registry.history("line")[0].kind == "frozen_set_aside"
        assert registry.history("line")[0].actor == "ada"
    with pytest.raises(ConfigurationError, match="no answers of what is live"):
        plan_target(frozen.settings, "line", against="frozen")
    with pytest.raises(RefusedError, match="set aside by ada"):
        plan_target(frozen.settings, "line", against=f"frozen:{first}")
    question = question_of(frozen.settings, "line", repeats=2)
    second = (await freeze(question)).on_record.baseline
    assert second.frozen_id != first, "the same question may be frozen anew"
    assert not (await freeze(question_of(frozen.settings, "line", repeats=2))).new
    assert frozen.command(*said, "--restore", first).code == 0
    _, verdict = await frozen.judged("v2", wrong=4, against=f"frozen:{first}")
    assert verdict.against == f"frozen:{first}"


async def test_a_damaged_one_is_not_passed_over_in_silence(frozen: Succession) -> None:
    await frozen_again(frozen, 1)
    with open_registry(frozen.settings) as registry:
        good = registry.frozen("line")[0].baseline
    (frozen_folder(frozen.settings, good) / "line.jsonl.zst").unlink()
    refused = frozen.command("plan", "line", "--against", "frozen")
    assert refused.code != 0
    assert "is missing" in refused.err
    assert "--set-aside" in refused.err
    _, verdict = await frozen.judged("v2", wrong=4, against=f"frozen:{ids(frozen)[1]}")
    assert any("were altered" in reason for reason in verdict.reasons)
    said = ("--set-aside", good.frozen_id, "--reason", "its files are lost")
    assert frozen.command("freeze", "line", *said).code == 0
    assert frozen.command("plan", "line", "--against", "frozen").code == 0

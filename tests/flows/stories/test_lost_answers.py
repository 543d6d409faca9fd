"""A promotion on a service that loses answers: INCONCLUSIVE while they are lost, live after a retry; the same for a regression."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from support.lossy_proxy import LossyProxy, lossy_proxy
from support.promoted import TARGET, Place, fine_tune

from evals.sampling.accounting import read_usage
from flows.evaluation.lost_answers.retry import begin_retry
from flows.registry.opening import open_registry

pytestmark = [
    pytest.mark.slow,
    # Prefect's clients leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LOST = ("number 100:", "number 103:", "number 107:")
"""How questions begin, two of each."""


@pytest.fixture
def proxy(
    place: Place, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LossyProxy]:
    """What stands between the target and the models; two attempts a question, and a slow round without long waits."""
    place.enter(monkeypatch)
    with lossy_proxy(place.emulator.url) as between:
        place.change(
            place.targets / f"{TARGET}.yaml",
            "gate: teams\n",
            "gate: teams\n"
            "sampling: {max_attempts: 2, lost_answers: {attempts: 2, wait: 0s}}\n"
            f"embedded: {{endpoint: '{between.url}'}}\n",
        )
        yield between


async def test_a_promotion_that_lacks_answers_goes_live_once_they_are_there(
    place: Place, proxy: LossyProxy
) -> None:
    from flows.promotion import promote

    job = await fine_tune("v3")
    proxy.loses = lambda model, question, _: model.endswith("-dev") and question.startswith(LOST)
    first = await promote(target=TARGET, job_id=job)
    assert first["verdict"] == "INCONCLUSIVE"
    approval = ("approve", first["run_id"], "--reason", "looks fine")
    refused = await asyncio.to_thread(place.command, *approval, GATEWRIGHT_ACTOR="ben")
    assert refused.code == 1
    assert f"gatewright retry {first['run_id']}" in refused.err
    proxy.heal()
    missing = await asyncio.to_thread(begin_retry, place.settings, first["run_id"], actor="ana")
    assert missing == 2 * len(LOST)
    second = await promote(target=TARGET, job_id=job)
    assert (second["run_id"], second["state"]) == (first["run_id"], "promoted")
    with open_registry(place.settings) as registry:
        live = registry.live(TARGET)
        assert (live.run_id, live.generation) == (first["run_id"], 3)
        assert registry.verify() == ()


async def test_a_regression_run_wins_back_what_was_lost(place: Place, proxy: LossyProxy) -> None:
    from flows.regression import regress

    proxy.loses = lambda _model, question, attempt: question.startswith(LOST) and attempt <= 3
    looked = await regress(target=TARGET)
    assert looked["verdict"] == "PASS"
    calls = read_usage(place.home / "runs" / looked["run_id"] / "journal")
    assert any(call.lost_round for call in calls)

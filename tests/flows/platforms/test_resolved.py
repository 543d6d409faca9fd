"""A checkpoint's deployment that shows the model's name is ours under both names, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted_server import ACCOUNT, OTHER, TUNED, Scripted, Seen, shown

from evals.errors import PlatformError
from flows.platforms.asking.readiness import agreement
from flows.platforms.azure.resolved import MODEL_TAG, RESOLVED_TAG
from flows.platforms.base import SlotSpec
from flows.platforms.model_names import same_id

POINT = "ftchkpt-" + "0a" * 16
STEP = f"{TUNED}:ckpt-step-90"
AT = f"{ACCOUNT}/deployments/cand-1"
JOBS = "GET /openai/v1/fine_tuning/jobs"
NONE = (404, {"error": {"code": "ResourceNotFound", "message": "none"}})
SLOT = SlotSpec(slot="developer", sku="DeveloperTier", capacity=100)


class Account:
    """One deployment as the control plane keeps it; what was asked for is shown as `echo`."""

    def __init__(self, server: Scripted, echo: str, *, listed: bool = True) -> None:
        self.server, self.echo, self.tags = server, echo, {}  # type: ignore[var-annotated]
        self.there, self.sku = False, "DeveloperTier"
        server.on(f"GET {AT}", self.read)
        server.on(f"PUT {AT}", self.write)
        server.on(f"PATCH {AT}", self.write)
        job = {"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": TUNED}
        found = [job] if listed else []
        server.on(JOBS, (200, {"data": found, "has_more": False}))
        point = {"id": POINT, "fine_tuned_model_checkpoint": STEP, "step_number": 90}
        server.on(f"{JOBS}/ftjob-1/checkpoints", (200, {"data": [point], "has_more": False}))

    def read(self, _seen: Seen) -> Any:
        if not self.there:
            return NONE
        return 200, shown(model=self.echo, tags=self.tags, sku=self.sku)

    def write(self, seen: Seen) -> Any:
        self.there, self.tags = True, seen.body["tags"]
        self.sku = seen.body.get("sku", {"name": self.sku})["name"]
        return self.read(seen)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("echo", [STEP, STEP.upper(), TUNED, POINT, POINT.upper()])
async def test_what_the_service_resolves_a_checkpoint_to_is_ours(
    server, azure, echo, listed
) -> None:
    account = Account(server, echo, listed=listed)
    found = await azure.deploy("cand-1", POINT, SLOT, tags={"run": "1"})
    assert found.model_id == POINT
    again = await azure.get("cand-1")
    assert same_id(again.model_id, POINT)
    assert again.tags[MODEL_TAG] == POINT
    if echo.lower() != POINT:
        assert (again.shown_as, again.tags[RESOLVED_TAG]) == (echo, echo)
    before = len(server.seen)
    assert (await azure.deploy("cand-1", POINT, SLOT, tags={})).model_id == POINT
    assert {one.method for one in server.seen[before:]} == {"GET"}, "nothing is written again"

    for other in (OTHER, f"{TUNED}:ckpt-step-45"):
        account.echo = other  # somebody else's model under our name, our tags and all
        assert (await azure.get("cand-1")).model_id == other
        with pytest.raises(PlatformError) as caught:
            await azure.deploy("cand-1", POINT, SLOT, tags={})
        assert caught.value.code == "WrongModel"


@pytest.mark.parametrize(
    ("echo", "listed"),
    [
        (OTHER, True),
        (f"{TUNED}:ckpt-step-45", True),
        ("gpt-4.1-mini", True),
        ("gpt-4.1-mini", False),
        ("ftchkpt-" + "0b" * 16, False),
    ],
)
async def test_another_model_is_never_taken_for_the_checkpoint(server, azure, echo, listed) -> None:
    account = Account(server, echo, listed=listed)
    with pytest.raises(PlatformError) as caught:
        await azure.deploy("cand-1", POINT, SLOT, tags={})
    assert caught.value.code == "WrongModel"
    assert RESOLVED_TAG not in account.tags


async def test_a_deployment_without_our_tags_is_somebody_elses_whatever_it_shows(
    server, azure
) -> None:
    account = Account(server, STEP)
    account.there, account.tags = True, {"gatewright": "developer"}
    with pytest.raises(PlatformError, match="can't be given"):
        await azure.deploy("cand-1", POINT, SLOT, tags={})


async def test_a_process_that_was_killed_before_it_wrote_the_name_down_goes_on(
    server, azure
) -> None:
    account = Account(server, STEP)
    account.there, account.tags = True, {"gatewright": "developer", MODEL_TAG: POINT}
    assert (await azure.get("cand-1")).model_id == POINT
    found = await azure.deploy("cand-1", POINT, SLOT, tags={})
    assert (found.model_id, account.tags[RESOLVED_TAG]) == (POINT, STEP)


async def test_where_no_list_tells_a_name_that_was_not_written_down_is_not_trusted(
    server, azure
) -> None:
    account = Account(server, STEP, listed=False)
    account.there, account.tags = True, {"gatewright": "developer", MODEL_TAG: POINT}
    with pytest.raises(PlatformError, match="nothing tells that it is that") as caught:
        await azure.deploy("cand-1", POINT, SLOT, tags={})
    assert "run the same again" in str(caught.value.hint)


async def test_a_name_that_is_resolved_later_is_known_by_the_jobs_list(server, azure) -> None:
    account = Account(server, POINT)
    await azure.deploy("cand-1", POINT, SLOT, tags={})
    account.echo = STEP
    later = await azure.get("cand-1")
    assert (later.model_id, later.shown_as) == (POINT, STEP)


async def test_the_job_s_model_may_stand_there_as_itself(server, azure) -> None:
    account = Account(server, TUNED)
    account.there, account.sku = True, "ProvisionedManaged"
    account.tags = {"gatewright": "production", MODEL_TAG: POINT}
    assert (await azure.get("cand-1")).model_id == TUNED


async def test_a_record_of_another_model_is_not_carried_along(server, azure) -> None:
    account = Account(server, TUNED)
    stale = {MODEL_TAG: POINT, RESOLVED_TAG: STEP, "run": "1"}
    await azure.deploy("cand-1", TUNED, SLOT, tags=stale)
    assert account.tags == {"run": "1", "gatewright": "developer"}


@pytest.mark.parametrize(
    ("answering", "also", "said"),
    [
        (STEP, (STEP,), "yes"),
        (STEP.upper(), (STEP,), "yes"),
        (TUNED, (STEP,), "no"),
        (f"{TUNED}:ckpt-step-45", (STEP,), "no"),
        (STEP, (TUNED,), "unknown"),
        (OTHER, (TUNED,), "no"),
        (STEP, (), "unknown"),
    ],
)
def test_an_answer_is_held_against_every_name_of_the_checkpoint(answering, also, said) -> None:
    assert agreement(POINT, answering, also) == said


async def test_what_an_unlisted_checkpoint_calls_itself_is_told(server, azure) -> None:
    Account(server, POINT, listed=False)
    found = await azure.deploy("cand-1", POINT, SLOT, tags={"run": "1"})
    message = {"role": "assistant", "content": "ready"}
    answer = {"model": STEP, "choices": [{"message": message, "finish_reason": "stop"}]}
    server.on("POST /openai/v1/chat/completions", (200, answer))
    assert (await azure.wait_ready(found)).answers_as == STEP

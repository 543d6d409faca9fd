"""Answers in other forms than are documented: somebody else's never stop us, and what is no answer of the service is told."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted_server import ACCOUNT, TUNED, shown

from evals.errors import PlatformError
from flows.platforms.azure.quota import WantedDeployment, quota_findings, read_rows
from flows.platforms.azure.region.models import listed_skus, sku_ends
from flows.platforms.azure.rights import rights
from flows.platforms.base import TriggerRef
from flows.platforms.fine_tuning.candidates import find_checkpoint
from flows.platforms.fine_tuning.jobs import get_job, walk_jobs

MODEL = f"GET /openai/v1/models/{TUNED}"
JOB = "GET /openai/v1/fine_tuning/jobs/ftjob-1"
JOBS = "GET /openai/v1/fine_tuning/jobs"
SIGN_IN = b"<html><title>Sign in</title></html>"
HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}
NO_API = "what answers at http://.* is no OpenAI API"


@pytest.mark.parametrize(
    "answer",
    [(200, SIGN_IN, HTML), (200, SIGN_IN, JSON), (200, []), (200, None), (200, {"status": "up"})],
)
async def test_what_is_no_openai_api_is_told_for_a_model(server, azure, answer) -> None:
    server.on(MODEL, answer)
    with pytest.raises(PlatformError, match=NO_API) as caught:
        await azure.resolve(TriggerRef(model_id=TUNED), target="t")
    assert "HTTPS_PROXY" in str(caught.value.hint)


@pytest.mark.parametrize("answer", [(200, SIGN_IN, HTML), (200, SIGN_IN, JSON), (200, [])])
async def test_what_is_no_openai_api_is_told_for_jobs(server, azure, answer) -> None:
    server.on(JOB, answer)
    server.on(JOBS, answer)
    with pytest.raises(PlatformError, match=NO_API):
        await get_job(azure, "ftjob-1")
    with pytest.raises(PlatformError, match=NO_API):
        await anext(aiter(walk_jobs(azure)))


async def test_a_list_of_jobs_with_holes_is_read(server, azure) -> None:
    server.on(
        JOBS, (200, {"object": "list", "data": [None, {"id": "ftjob-1", "status": "running"}]})
    )
    server.on(f"{JOB}/checkpoints", (200, {"object": "list"}))
    assert [job.id async for job in walk_jobs(azure)] == ["ftjob-1"]
    assert await find_checkpoint(azure, "ftchkpt-1") is None


async def test_a_redirect_to_a_sign_in_page_is_neither_followed_nor_a_missing_model(
    server, azure
) -> None:
    server.on(MODEL, (302, None, {"Location": "{url}/sign-in?secret=1"}))
    with pytest.raises(
        PlatformError, match=r"sends on to http://127\.0\.0\.1:\d+, and is no"
    ) as caught:
        await azure.resolve(TriggerRef(model_id=TUNED), target="t")
    assert not server.asked("GET /sign-in")
    assert "secret" not in str(caught.value)


ODD: list[dict[str, Any]] = [
    {"name": "x", "properties": {"model": {"name": None}}},
    {"name": "x", "sku": {"name": None}, "properties": {"model": {"name": "m"}}},
    {"name": "x", "sku": {"name": "Standard", "capacity": 1.5}},
    {"id": "/x/y", "properties": {"model": "m"}},
    {"name": "x", "sku": None, "properties": None},
]


@pytest.mark.parametrize("odd", [None, "x", *ODD])
async def test_an_odd_deployment_of_somebody_else_does_not_stop_the_list(
    server, azure, odd
) -> None:
    server.on(f"GET {ACCOUNT}/deployments", (200, {"value": [odd, shown("mine")]}))
    assert [one.name for one in await azure.list_deployments()] == ["mine"]


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_deployment_is_told_when_it_is_the_one_asked_for(server, azure, odd) -> None:
    server.on(f"GET {ACCOUNT}/deployments/x", (200, odd))
    with pytest.raises(PlatformError, match=r"the control plane describes"):
        await azure.get("x")


async def test_a_version_that_is_a_number_and_a_tag_without_a_value_are_read(server, azure) -> None:
    odd = {"name": "x", "tags": {"a": None}, "properties": {"model": {"name": "m", "version": 2}}}
    server.on(f"GET {ACCOUNT}/deployments", (200, {"value": [odd]}))
    (found,) = await azure.list_deployments()
    assert (found.model_id, found.tags) == ("m-2", {"a": ""})


@pytest.mark.parametrize("value", [None, {}, "x", [None, 7]])
async def test_a_list_that_is_none_is_empty(server, azure, value) -> None:
    server.on(f"GET {ACCOUNT}/models", (200, {"value": value, "nextLink": 7}))
    assert await azure.account.models() == []


@pytest.mark.parametrize("body", [["x"], "welcome", b"half a bo"])
async def test_what_is_no_object_is_not_taken_for_an_empty_list(server, azure, body) -> None:
    server.on(f"GET {ACCOUNT}/deployments", (200, body))
    with pytest.raises(PlatformError, match="where the control plane should stand"):
        await azure.list_deployments()


@pytest.mark.parametrize("skus", [None, [None], "Standard", {"name": "Standard"}])
def test_deployment_types_that_are_no_list_are_none(skus) -> None:
    entry = {"name": "gpt-4o", "skus": skus}
    assert listed_skus(entry) == ()
    assert sku_ends(entry, "Standard") is None


@pytest.mark.parametrize(
    ("granted", "level"),
    [
        ([{"actions": "*"}], "ok"),
        ([{"actions": "Microsoft.CognitiveServices/*/read", "notActions": None}], "fail"),
        ([{"actions": ["*"], "notActions": "*"}], "fail"),
        ([None, {"actions": ["*"]}], "ok"),
    ],
)
async def test_a_right_that_stands_alone_is_not_read_by_its_letters(
    server, azure, granted, level
) -> None:
    path = f"{ACCOUNT}/providers/Microsoft.Authorization/permissions"
    server.on(f"GET {path}", (200, {"value": granted}))
    finding = await rights(azure.account)
    assert finding is not None and finding.level == level


@pytest.mark.parametrize(
    ("used", "limit", "level", "told"),
    [
        ("10", "250", "ok", "needed 50, left 240 of 250"),
        (10, "20", "fail", "needed 50, left 10 of 20"),
        (None, 250.0, "ok", "left 250 of 250"),
        (0, -1, "warn", "needed 50, and no limit is told (-1)"),
        (0, "soon", "warn", "no quota row"),
        (0, True, "warn", "no quota row"),
    ],
)
def test_quota_is_read_however_its_numbers_are_written(used, limit, level, told) -> None:
    name = "OpenAI.GlobalStandard.gpt4.1-mini-finetune"
    rows = read_rows([{"name": {"value": name}, "currentValue": used, "limit": limit}])
    wanted = [WantedDeployment("production", "GlobalStandard", 50)]
    (found,) = quota_findings(rows, wanted, model_id=TUNED, base_model=None)
    assert (found.level, told in found.message) == (level, True)

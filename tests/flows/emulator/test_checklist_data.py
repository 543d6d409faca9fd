"""The checklist of platform behaviours, data plane: one test (or more) for each line."""

from __future__ import annotations

import httpx
import pytest


def code(answer: httpx.Response) -> str | None:
    return answer.json()["error"]["code"]


# 7, 8


def test_line_07_the_data_plane_lags_behind_the_control_plane(workshop) -> None:
    plane = workshop.plane()
    workshop.emulator.set(dataplane_lag_s=90)
    plane.put("cand", workshop.tuned())
    assert plane.get("cand").json()["properties"]["provisioningState"] == "Succeeded"
    early = workshop.ask("cand")
    assert (early.status_code, code(early)) == (404, "DeploymentNotFound")
    workshop.emulator.clock.advance(91)
    assert workshop.ask("cand").status_code == 200


def test_line_08_the_old_model_may_answer_under_a_name_made_again(workshop) -> None:
    plane, old, new = workshop.plane(), workshop.tuned("old"), workshop.tuned("new")
    plane.put("prod", old)
    plane.delete("prod")
    workshop.emulator.set(stale_serving_s=120, provisioning_s=60)
    assert plane.get("prod").status_code == 404
    made = plane.put("prod", new)
    assert made.json()["properties"]["provisioningState"] == "Creating"
    assert workshop.ask("prod").json()["model"] == old
    workshop.emulator.clock.advance(61)
    assert plane.get("prod").json()["properties"]["provisioningState"] == "Succeeded"
    assert workshop.ask("prod").json()["model"] == old, "stale still"
    workshop.emulator.clock.advance(60)
    assert workshop.ask("prod").json()["model"] == new


def test_line_08_without_the_switch_nothing_stale_is_served(workshop) -> None:
    plane, old, new = workshop.plane(), workshop.tuned("old"), workshop.tuned("new")
    plane.put("prod", old)
    plane.delete("prod")
    plane.put("prod", new)
    assert workshop.ask("prod").json()["model"] == new


# 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("style", "present", "absent"),
    [
        ("retry-after", {"retry-after": "1"}, ["retry-after-ms"]),
        ("retry-after-ms", {"retry-after-ms": "1000"}, []),
        ("missing", {}, ["retry-after", "retry-after-ms"]),
        ("minus-one", {"x-ratelimit-limit-requests": "-1", "x-ratelimit-reset-requests": "0"}, ["retry-after"]),
        ("day", {"retry-after": "86400"}, []),
    ],
)  # fmt: skip
def test_line_12_a_throttled_azure_request_has_a_string_code(
    workshop, style, present, absent
) -> None:
    workshop.plane().put("base", "gpt-4.1-mini", "GlobalStandard")
    workshop.emulator.set(throttle_rate=1.0, throttle_style=style)
    refused = workshop.ask("base")
    assert (refused.status_code, code(refused)) == (429, "429")
    assert present.items() <= dict(refused.headers).items()
    assert not set(absent) & set(refused.headers)


def test_line_12_headers_are_whole_seconds_on_azure_and_durations_on_openai(workshop) -> None:
    workshop.plane().put("base", "gpt-4.1-mini", "GlobalStandard")
    azure = workshop.ask("base").headers
    assert azure["x-ratelimit-reset-requests"].isdigit()
    assert int(azure["x-ratelimit-limit-tokens"]) > 0
    assert azure["apim-request-id"]
    assert azure["x-ms-deployment-name"] == "base"
    openai = workshop.http.post(
        f"{workshop.url}/v1/chat/completions",
        json={"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "hello"}]},
        headers={"Authorization": "Bearer embedded-api-key"},
    ).headers
    assert openai["x-ratelimit-reset-requests"] in ("1m0s", "1m1s")
    assert openai["x-request-id"].startswith("req_")


def test_line_12_limits_by_capacity_are_enforced_when_asked_for(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned(), capacity=3)
    workshop.emulator.set(enforce_rate_limits=True)
    assert [workshop.ask("cand").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    workshop.emulator.clock.advance(61)
    assert workshop.ask("cand").status_code == 200


# 13


@pytest.mark.parametrize(
    ("style", "key", "inner"),
    [
        ("innererror", "innererror", "content_filter_result"),
        ("inner_error", "inner_error", "content_filter_result"),
        ("plural", "innererror", "content_filter_results"),
        ("absent", None, None),
    ],
)
def test_line_13_a_filtered_prompt_is_a_400_in_several_shapes(workshop, style, key, inner) -> None:
    workshop.plane().put("base", "gpt-4.1-mini", "GlobalStandard")
    workshop.emulator.set(filter_phrases=["forbidden word"], filter_style=style)
    assert workshop.ask("base", "harmless").status_code == 200
    refused = workshop.ask("base", "the forbidden word")
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, "content_filter", "prompt")
    if key is None:
        assert not {"innererror", "inner_error"} & set(error)
    else:
        assert error[key]["code"] == "ResponsibleAIPolicyViolation"
        assert error[key][inner]["violence"] == {"filtered": True, "severity": "medium"}


def test_line_13_a_filtered_answer_is_a_200_with_its_own_finish_reason(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned())
    workshop.emulator.set(filter_output_rate=1.0)
    choice = workshop.ask("cand").json()["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "")


def test_line_13_annotations_may_be_absent(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned())
    full = workshop.ask("cand").json()
    assert (
        full["prompt_filter_results"][0]["content_filter_results"]["jailbreak"]["detected"] is False
    )
    workshop.emulator.set(filter_annotations="absent")
    bare = workshop.ask("cand").json()
    assert "prompt_filter_results" not in bare
    assert "content_filter_results" not in bare["choices"][0]


# 19


def test_line_19_the_v1_path_refuses_a_dated_api_version(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned())

    def status(version: str | None) -> int:
        return int(
            workshop.http.post(
                f"{workshop.url}/openai/v1/chat/completions",
                params={"api-version": version} if version else {},
                json={"model": "cand", "messages": [{"role": "user", "content": "x"}]},
                headers={"api-key": "embedded-api-key"},
            ).status_code
        )

    assert [status(None), status("preview"), status("2024-10-21")] == [200, 200, 400]
    workshop.emulator.set(v1_dated_api_version="accept")
    assert status("2024-10-21") == 200


def test_line_19_the_dated_path_needs_a_known_data_plane_version(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned())
    for version, expected in (("2024-10-21", 200), ("2025-06-01", 404), ("", 404)):
        answer = workshop.http.post(
            f"{workshop.url}/openai/deployments/cand/chat/completions",
            params={"api-version": version},
            json={"messages": [{"role": "user", "content": "x"}]},
            headers={"api-key": "embedded-api-key"},
        )
        assert answer.status_code == expected, version
    assert code(answer) == "404"

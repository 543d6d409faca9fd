"""A mistyped address is one clear sentence, whichever setting it stands in, and the doctor asks the Prefect that is named."""

from __future__ import annotations

import pytest
from support.prefect_stand_in import prefect_stand_in
from support.project import Project

TARGET = "support-triage"


@pytest.mark.parametrize(
    "url",
    [
        "postgres",
        "postgresql://gate@db:port/registry",
        "sqlite:///",
        "sqlite:////proc/none/registry.db",
        "oracle://db/registry",
    ],
)
def test_a_mistyped_registry_is_one_sentence(project: Project, url: str) -> None:
    done = project.command("live", GATEWRIGHT_REGISTRY_URL=url)
    assert (done.code, len(done.err.splitlines())) == (3, 1)
    assert done.err.startswith("error: GATEWRIGHT_REGISTRY_URL: ")


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "http://127.0.0.1:99999", "embedded"])
def test_a_mistyped_platform_is_one_sentence_and_hides_nothing_else(
    project: Project, url: str
) -> None:
    done = project.command("doctor", TARGET, "--json", GATEWRIGHT_EMBEDDED_URL=url)
    said = {one["name"]: one["message"] for one in done.json[TARGET]}
    assert done.code == 3
    assert "expected an http or https address" in said["platform"]
    assert {"home", "registry"} <= {one["name"] for one in done.json["installation"]}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("notaurl", "expected an http or https address"),
        ("http://127.0.0.1:port/api", "expected an http or https address"),
        ("http://127.0.0.1:9/api", "no Prefect server answers at http://127.0.0.1:9/api"),
        ("{stand_in}/nowhere", "is no Prefect server"),
        ("{stand_in}", "answers: Prefect 3"),
    ],
)
def test_the_doctor_asks_the_prefect_server_that_is_named(
    project: Project, url: str, said: str
) -> None:
    with prefect_stand_in() as stand_in:
        named = url.replace("{stand_in}", stand_in.url)
        done = project.command("doctor", TARGET, "--json", PREFECT_API_URL=named)
    (found,) = [one for one in done.json["installation"] if one["name"] == "prefect"]
    assert said in found["message"]
    assert (found["level"] == "ok") is ("answers" in said and "no Prefect" not in said)


def test_a_mistyped_prefect_is_one_sentence_for_what_submits(project: Project) -> None:
    done = project.command("promote", TARGET, "--model", "m", "--submit", PREFECT_API_URL="notaurl")
    assert (done.code, len(done.err.splitlines())) == (3, 1)
    assert "PREFECT_API_URL: expected an http or https address" in done.err

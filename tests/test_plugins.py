"""Graders, publishers and platforms come from outside by entry points; the plug-ins here are those that docs/plugins.md shows."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evals.config import plugins
from evals.errors import ConfigurationError
from evals.graders.base import grade_response
from evals.records import Endpoint, LivePointer, Response
from evals.suites.opened import OpenedSuite, open_suite
from flows.config.connections import require_platform
from flows.config.target import load_target
from flows.platforms.table import open_platform
from flows.publishers.base import Publisher
from flows.publishers.table import build_publishers

PAGE = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text("utf-8")
Install = Callable[..., None]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with these entry points (name -> address, by group) and this module on the path."""

    def put(
        distribution: str, groups: Mapping[str, Mapping[str, str]], module: str = "", code: str = ""
    ) -> None:
        site = tmp_path / f"site-{distribution}"
        facts = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        points = "".join(
            f"[{group}]\n" + "".join(f"{name} = {address}\n" for name, address in names.items())
            for group, names in groups.items()
        )
        (facts / "entry_points.txt").write_text(points)
        if module:
            (site / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))

    return put


@pytest.fixture
def documented(install: Install) -> None:
    """The distribution of docs/plugins.md."""
    groups = tomllib.loads("".join(blocks("toml")))["project"]["entry-points"]
    install("acme", groups, "acme_gatewright", "\n".join(blocks("python")))


@pytest.fixture
def suite(tmp_path: Path) -> Callable[[Mapping[str, Any]], OpenedSuite]:
    """A suite of one case with one grader."""

    def build(grader: Mapping[str, Any]) -> OpenedSuite:
        (tmp_path / "cases.jsonl").write_text(
            json.dumps({"id": "a", "messages": [{"role": "user", "content": "?"}], "expected": "x"})
        )
        (tmp_path / "suite.yaml").write_text(
            json.dumps({"version": 1, "name": "s", "graders": [grader]})
        )
        return open_suite(tmp_path)

    return build


@pytest.fixture
def target(tmp_path: Path) -> Callable[..., Any]:
    """Read a target file that has these keys besides those that every one has."""

    def read(**more: Any) -> Any:
        whole = {"version": 1, "name": "t", "suites": ["s"], "gate": "g", **more}
        (tmp_path / "t.yaml").write_text(json.dumps(whole))
        return load_target(tmp_path, "t")

    return read


def build(*entries: Mapping[str, Any]) -> tuple[Publisher, ...]:
    return build_publishers(entries, target="t", root=Path(), where="t.yaml")


@pytest.mark.usefixtures("documented")
async def test_a_registered_grader_is_named_in_a_suite_like_a_built_in_one(suite: Any) -> None:
    opened = suite({"name": "short", "type": "word_limit", "words": 2})
    response = Response(case_id="a", model_id="m", outcome="answered", text="one two three")
    (score,) = await grade_response(opened.graders, opened.suite.cases[0], response)
    assert (score.value, score.reason) == (0.0, "3 words")
    other = suite({"name": "short", "type": "word_limit", "words": 3})
    assert other.fingerprint != opened.fingerprint


@pytest.mark.usefixtures("documented")
def test_a_wrong_option_of_a_registered_grader_is_named_with_its_line(suite: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"suite\.yaml:1: .*word"):
        suite({"name": "short", "type": "word_limit", "wrods": 2})


@pytest.mark.usefixtures("documented")
async def test_a_registered_publisher_is_named_in_a_target_like_a_built_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_LIVE_MODEL", "")
    made = build({"acme_env": {"variable": "ACME_LIVE_MODEL"}})
    endpoint = Endpoint(base_url="http://127.0.0.1/v1", model="m", model_id="m")
    pointer = LivePointer(
        target="t",
        model_id="m",
        platform="openai",
        endpoint=endpoint,
        deployment=None,
        generation=1,
        since="2026-01-01T00:00:00Z",
    )
    await made[0].publish(pointer)
    assert await made[0].read_back() == pointer
    with pytest.raises(ConfigurationError, match=r"no option 'varable' .*'variable'"):
        build({"acme_env": {"varable": "X"}})


@pytest.mark.usefixtures("documented")
async def test_a_registered_platform_is_named_in_a_target_like_a_built_in_one(target: Any) -> None:
    found = target(platform="acme_fleet", acme_fleet={"team": "triage", "key_variable": "none"})
    require_platform(found)
    platform = open_platform(found.platform, found.options, {})
    assert platform.name == "acme_fleet"
    assert platform.data.address == "https://models.acme.example/triage/v1"
    assert found.production.sku == ""
    await platform.aclose()
    judged = target(platform="openai", judge={"model": "m", "platform": "acme_fleet"})
    assert judged.judge.platform == "acme_fleet"


@pytest.mark.usefixtures("documented")
def test_a_wrong_option_of_a_registered_platform_is_named(target: Any) -> None:
    found = target(platform="acme_fleet", acme_fleet={"key_varable": "X"})
    with pytest.raises(ConfigurationError, match=r"acme_fleet\.key_varable.*'key_variable'"):
        require_platform(found)


@pytest.mark.usefixtures("documented")
def test_a_name_that_is_nearly_a_registered_one_is_suggested(suite: Any, target: Any) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'word_limit'"):
        suite({"name": "short", "type": "word_limt", "words": 2})
    with pytest.raises(ConfigurationError, match=r"t\.yaml: field 'publish\[0\]'.*'acme_env'"):
        build({"acme_evn": {}})
    with pytest.raises(ConfigurationError, match=r"t\.yaml.*expected one of .*'acme_fleet'"):
        target(platform="acme_flet")


def test_a_plug_in_that_cannot_be_loaded_is_one_error_that_names_its_distribution(
    install: Install, suite: Any
) -> None:
    groups = {"gatewright.graders": {"mine": "acme_broken:Mine"}}
    install("acme-broken", groups, "acme_broken", "1 / 0\n")
    with pytest.raises(ConfigurationError, match=r"acme-broken 1\.2.*ZeroDivisionError") as caught:
        suite({"name": "g", "type": "mine"})
    (problem,) = caught.value.problems
    assert (problem.line, problem.field) == (1, "graders[0].type")


def test_a_plug_in_of_another_kind_is_refused(install: Install, suite: Any, target: Any) -> None:
    groups = {
        "gatewright.graders": {"mine": "acme_other:f"},
        "gatewright.publishers": {"mine": "acme_other:f"},
        "gatewright.platforms": {"mine": "acme_other:f"},
    }
    install("acme-other", groups, "acme_other", "def f():\n    pass\n")
    with pytest.raises(ConfigurationError, match=r"acme-other 1\.2: expected a class derived"):
        suite({"name": "g", "type": "mine"})
    with pytest.raises(ConfigurationError, match=r"acme-other 1\.2: expected a .*PublisherKind"):
        build({"mine": {}})
    with pytest.raises(ConfigurationError, match=r"acme-other 1\.2: expected a .*PlatformKind"):
        target(platform="mine")


def test_a_name_that_two_distributions_register_is_refused(install: Install, suite: Any) -> None:
    install("acme-one", {"gatewright.graders": {"mine": "acme_one:A"}})
    install("acme-two", {"gatewright.graders": {"mine": "acme_two:B"}})
    with pytest.raises(ConfigurationError, match=r"acme-one 1\.2 and acme-two 1\.2"):
        suite({"name": "g", "type": "mine"})


def test_a_function_registered_as_a_grader_is_for_custom(install: Install, suite: Any) -> None:
    groups = {"gatewright.graders": {"mine": "acme_function:f"}}
    install("acme-function", groups, "acme_function", "def f(case, response):\n    return 1\n")
    assert suite({"name": "g", "type": "custom", "entry_point": "mine"}).graders[0].name == "g"


def test_what_is_built_in_is_never_looked_up(
    suite: Any, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(**_: str) -> Any:
        raise AssertionError("entry points were read")

    monkeypatch.setattr(plugins, "entry_points", looked_up)
    assert suite({"name": "e", "type": "exact"})
    assert target(platform="openai", judge={"model": "m"})
    assert build({"file": {"path": "live.json"}})

"""What needs an extra that is not installed says so, with the command that installs it, before anything is asked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

LIBRARIES = ("azure.appconfiguration", "nltk", "psycopg", "pyarrow", "rouge_score", "sacrebleu")


@pytest.fixture
def bare(project, monkeypatch):
    """The command line in an installation without extras: Python refuses to import what they hold."""

    def command(*arguments, **more):
        held = [
            name for name in sys.modules if name.startswith(tuple(f"{one}." for one in LIBRARIES))
        ]
        with monkeypatch.context() as without:
            for name in (*LIBRARIES, *held):
                without.setitem(sys.modules, name, None)
            return project.command(*arguments, **more)

    return command


@pytest.fixture
def bare_process(project, tmp_path: Path):
    """The same as a process, which begins without them."""
    block = f"import sys; sys.modules.update(dict.fromkeys({LIBRARIES!r}))\n"
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text(block)
    path = os.pathsep.join([str(tmp_path / "bare"), project.environment["PYTHONPATH"]])
    return lambda *arguments, **more: project.gatewright(*arguments, PYTHONPATH=path, **more)


def refused(answer, *parts: str) -> None:
    told = " ".join((answer.out + answer.err).split())
    assert answer.code == 3, told
    assert "Traceback" not in told
    for part in parts:
        assert told.count(part) == 1, told


@pytest.mark.parametrize(
    ("measure", "library"),
    [("bleu", "sacrebleu"), ("gleu", "nltk"), ("meteor", "nltk"), ("rouge_l", "rouge_score")],
)
def test_a_text_metric_without_its_library_is_found_when_the_suite_is_checked(
    project, bare, measure, library
):
    suite = project.datasets / "support-triage" / "suite.yaml"
    grader = f"graders:\n  - {{name: alike, type: text_similarity, evaluation_metric: {measure}, reference: a}}\n"
    project.change(suite, "graders:\n", grader)
    refused(
        bare("suite", "check", "support-triage"),
        "support-triage/suite.yaml:",
        f"{measure} needs the library {library}, which is not installed",
        "pip install 'gatewright[text-metrics]'",
    )
    assert project.command("suite", "check", "support-triage").code == 0


def test_the_usual_text_metric_needs_no_extra(project, bare_process):
    suite = project.datasets / "support-triage" / "suite.yaml"
    grader = "graders:\n  - {name: alike, type: text_similarity, evaluation_metric: fuzzy_match, reference: a}\n"
    project.change(suite, "graders:\n", grader)
    assert bare_process("suite", "check", "support-triage").code == 0


def test_a_parquet_suite_without_its_library_is_found_when_the_suite_is_checked(project, bare):
    folder = project.datasets / "support-triage"
    (folder / "cases.jsonl").rename(folder / "cases.parquet")
    project.change(
        folder / "suite.yaml", "version: 1\n", "version: 1\ncases: {file: cases.parquet}\n"
    )
    refused(
        bare("suite", "check", "support-triage"),
        "cases.parquet: a Parquet file needs the library pyarrow, which is not installed",
        "pip install 'gatewright[parquet]'",
    )


@pytest.mark.parametrize(
    "command",
    [
        ("doctor", "support-triage"),
        ("promote", "support-triage", "--model", "gpt-4.1-mini-2025-04-14.ft-" + "a" * 32),
    ],
)
def test_a_publisher_without_its_library_is_found_before_a_run(project, bare, command):
    entry = "publish:\n  - azure_app_configuration: {endpoint: 'https://acme.azconfig.io'}\n"
    project.change(project.target, "publish:\n", entry)
    refused(
        bare(*command),
        "targets/support-triage.yaml: field 'publish[0]': azure_app_configuration needs the library "
        "azure.appconfiguration, which is not installed",
        "pip install 'gatewright[app-configuration]'",
    )


def test_a_registry_on_postgresql_without_its_driver_is_refused(bare):
    url = "postgresql://gatewright@127.0.0.1:1/gatewright"
    refused(
        bare("live", GATEWRIGHT_REGISTRY_URL=url),
        "GATEWRIGHT_REGISTRY_URL: the driver of postgresql+psycopg is not installed",
        "pip install 'gatewright[postgresql]'",
    )

"""SIGKILL anywhere in a promotion: after a restart exactly one model is live, and everything agrees on which."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import child_environment

from flows.deployments.identity import deployment_name

NEW = deployment_name("triage", "r2")


def stories(folder, *how):
    script = Path(__file__).with_name("crash_story.py")
    ran = subprocess.run(
        [sys.executable, "-W", "error", script, folder, *map(str, how)],
        capture_output=True,
        text=True,
        timeout=900,
        env=child_environment(),
    )
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def assert_promoted_once(story):
    assert (story["state"], story["run_state"]) == ("live", "promoted"), story
    assert (story["live"], story["served"], story["published"]) == ("v2", "v2", ["v2"]), story
    assert story["generation"] == 2, story
    assert story["standing"] == ["v1", "v2"], story
    assert story["log"] == ["created prod-v1", f"created {NEW}"], story
    assert story["switches"] == ["promotion", "adopt"], story
    assert story["kept"] == [["kept-v2", True]], story
    assert story["damage"] == [], story


@pytest.mark.slow
def test_killed_at_every_boundary_and_restarted_the_candidate_is_live_once(folder):
    told = stories(folder)
    assert len(told) >= 40
    assert all(story["killed"] for story in told)
    for story in told:
        assert_promoted_once(story)


@pytest.mark.slow
def test_killed_at_every_boundary_of_the_way_back_the_old_model_is_live(folder):
    told = stories(folder, "put-back")
    assert any("put_back" in story["at"] for story in told)
    for story in told:
        assert (story["state"], story["run_state"]) == ("rolled_back", "failed"), story
        assert (story["live"], story["served"], story["published"]) == ("v1", "v1", ["v1"]), story
        assert story["standing"] == ["v1"], story
        assert story["switches"] == ["restore", "promotion", "adopt"], story
        assert story["kept"] == [], story
        assert story["damage"] == [], story
        assert [line for line in story["log"] if NEW in line] == [
            f"created {NEW}",
            f"deleted {NEW}",
        ]

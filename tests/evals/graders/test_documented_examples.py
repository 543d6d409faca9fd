"""Every example of docs/graders.md is true, and every grader has one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evals.config.documents import parse_yaml
from evals.graders.table import GRADERS

PAGE = Path(__file__).parents[3] / "docs" / "graders.md"
EXAMPLE = re.compile(r"```yaml\n(.*?)```\n```json\n(.*?)```", re.DOTALL)


def _examples() -> Iterator[Any]:
    for match in EXAMPLE.finditer(PAGE.read_text(encoding="utf-8")):
        grader = parse_yaml(match[1], PAGE).data
        for number, line in enumerate(match[2].strip().splitlines()):
            yield pytest.param(grader, json.loads(line), id=f"{grader['name']}-{number}")


@pytest.mark.slow
@pytest.mark.parametrize(("grader", "example"), list(_examples()))
async def test_an_example_gives_the_scores_it_shows(grader, example, grade, scripted) -> None:
    model_client = scripted(example.get("judge", []), example.get("embeddings"))
    scores = await grade(
        grader,
        example.get("answer"),
        expected=example.get("expected"),
        item=example.get("item"),
        outcome=example.get("outcome", "answered"),
        model_client=model_client,
    )
    found = {
        name: score.predicted
        if score.predicted is not None
        else None
        if score.value is None
        else round(score.value, 4)
        for name, score in scores.items()
    }
    assert found == example["scores"]


def test_every_grader_has_an_example() -> None:
    shown = {grader.values[0]["type"] for grader in _examples()}
    assert shown == set(GRADERS)

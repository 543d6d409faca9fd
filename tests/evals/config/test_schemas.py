"""The schemas that come with Gatewright are schemas, whole in themselves: they are not checked at every start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.config.documents import SCHEMAS
from evals.config.schema_errors import compile_schema


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_each_schema_is_one(path: Path) -> None:
    compile_schema(json.loads(path.read_text(encoding="utf-8")), path.name)

"""Makes a suite of an OpenAI chat fine-tuning file, such as the part that was held out of training.

The examples stay as they are. Which graders fit is guessed from the answers: objects are compared field by field, few
short texts are labels, other texts are compared by likeness. The guess is said, for a person to change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from evals.cases.formats import read_rows
from evals.config.documents import iter_jsonl, raise_problems, shown_path
from evals.config.yaml_lines import dump_yaml
from evals.errors import Problem
from evals.files import replace_file
from evals.suites.import_openai_eval import Imported

__all__ = ["import_chat"]

_MOST_LABELS = 100
_LONGEST_LABEL = 60


def import_chat(file: Path, folder: Path) -> Imported:
    """Write a suite's folder from a chat fine-tuning file.

    A question that stands in the file twice is taken once. `folder` must not exist, or be empty.

    Raises:
        ConfigurationError: with every line that can't be a case; nothing is written then.
    """
    problems: list[Problem] = []
    _refuse_items(file)
    rows = list(read_rows(file, {"format": "chat"}, problems))
    if not rows and not problems:
        problems.append(Problem(where=shown_path(file), message="expected examples; found none"))
    if folder.exists() and any(folder.iterdir()):
        message = "expected a new or an empty folder; found files in it"
        problems.append(Problem(where=shown_path(folder), message=message))
    raise_problems(problems)
    first: dict[str, Any] = {}
    for row in rows:
        first.setdefault(row.data["id"], row)
    grader, explanation = _guess([row.data["expected"] for row in first.values()])
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:63] or "imported"
    cases = {"file": "cases.jsonl", "format": "chat"}
    suite = {"version": 1, "name": name, "cases": cases, "graders": [grader]}
    kept = {row.line for row in first.values()}
    replace_file(folder / "suite.yaml", dump_yaml(suite).encode())
    lines = (msgspec.json.encode(row) + b"\n" for line, row in iter_jsonl(file) if line in kept)
    replace_file(folder / "cases.jsonl", b"".join(lines))
    notes = [explanation, *_repeated([row.data for row in rows], first)]
    return Imported(folder=folder, cases=len(first), graders=(grader["name"],), notes=tuple(notes))


def _refuse_items(file: Path) -> None:
    """Refuse the data of an eval, which says nothing without the eval itself."""
    first = next(iter_jsonl(file, []), (0, {}))[1]
    if isinstance(first.get("item"), dict) and "messages" not in first:
        raise_problems(
            [
                Problem(
                    where=shown_path(file),
                    line=1,
                    message="expected a chat fine-tuning file; found the items of an OpenAI eval",
                    fix=f"import the eval itself: gatewright suite import EVAL.json --data {file.name} --run RUN.json",
                )
            ]
        )


def _guess(answers: Sequence[Any]) -> tuple[dict[str, Any], str]:
    """Return a grader for answers of this kind, and the sentence that says why."""
    objects = [answer for answer in answers if isinstance(answer, dict)]
    if len(objects) == len(answers):
        shared = [key for key in objects[0] if all(key in answer for answer in objects)]
        if shared:
            explanation = "the answers are JSON objects, so their common fields are compared"
            return {"name": "exact_match", "type": "fields", "fields": shared}, explanation
    texts = [answer for answer in answers if isinstance(answer, str)]
    labels = sorted(set(texts))
    if len(texts) == len(answers) and _are_labels(labels, len(texts)):
        explanation = (
            f"the answers are {len(labels)} different short texts, so they are taken as labels"
        )
        return {"name": "label", "type": "label", "labels": labels}, explanation
    explanation = (
        "the answers are free texts, so their likeness is measured; a judge may fit better"
    )
    measure = {"name": "similarity", "type": "text_similarity", "evaluation_metric": "fuzzy_match"}
    return measure, explanation


def _are_labels(labels: Sequence[str], answers: int) -> bool:
    few = 1 < len(labels) <= min(_MOST_LABELS, answers // 2)
    return few and all(label.strip() and len(label) <= _LONGEST_LABEL for label in labels)


def _repeated(rows: Sequence[dict[str, Any]], first: dict[str, Any]) -> list[str]:
    """Say how many questions stood in the file again, and how many of those with another answer."""
    again = len(rows) - len(first)
    if not again:
        return []
    other = sum(row["expected"] != first[row["id"]].data["expected"] for row in rows)
    contradicting = f", {other} of them with another answer" if other else ""
    return [f"{again} questions stood in the file again{contradicting}; the first of each is kept"]

"""The small real models: for each system prompt one head, which learns answers from (question, answer) pairs.

A head whose answers are all JSON objects with the same keys and scalar values has one classifier for each key (keys that
another key decides, such as a category by the next step, are decided together). Any other head has one classifier over
whole answers; when nearly every answer is unique it looks up the most similar question instead.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.emulator.classifiers import Classifier, fit_classifier
from flows.emulator.examples import Example
from flows.emulator.features import clip, fit_features

__all__ = ["Answer", "FieldHead", "Head", "LookupHead", "Network", "parse_fields", "train_network"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A predicted answer and the head's confidence in it, in (0, 1]."""

    text: str
    confidence: float


def parse_fields(answers: Sequence[str]) -> list[Row] | None:
    """Return the answers as flat JSON objects when all are such, with the same keys; else None."""
    rows: list[Row] = []
    for answer in answers:
        try:
            row = json.loads(answer)
        except ValueError:
            return None
        if (
            not isinstance(row, dict)
            or not row
            or not all(_scalar(value) for value in row.values())
        ):
            return None
        if rows and row.keys() != rows[0].keys():
            return None
        rows.append(row)
    return rows or None


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


@dataclass(slots=True)
class Head:
    """One classifier over whole answers."""

    prompt: str
    examples: int
    features: Any
    classifier: Classifier

    def answer(self, question: str) -> Answer:
        """Predict the answer to one question."""
        scores = self.classifier.scores(self.features.transform([clip(question)]))
        best = int(np.argmax(scores))
        return Answer(str(self.classifier.labels[best]), float(np.exp(scores[best])))


@dataclass(slots=True)
class LookupHead:
    """The answer of the most similar training question; for heads whose answers hardly repeat."""

    prompt: str
    examples: int
    features: Any
    known: Any
    answers: list[str]

    def answer(self, question: str) -> Answer:
        """Return the answer of the nearest training question by cosine."""
        near = (self.known @ self.features.transform([clip(question)]).T).toarray().ravel()
        best = int(np.argmax(near))
        return Answer(self.answers[best], float(np.clip(near[best] / 2.0, 1e-6, 1.0)))


@dataclass(slots=True)
class FieldHead:
    """One classifier for each field of a JSON answer, decided in groups of fields that hang together."""

    prompt: str
    examples: int
    features: Any
    fields: dict[str, Classifier]
    groups: list[tuple[tuple[str, ...], list[tuple[int, ...]]]]
    style: dict[str, Any]

    def answer(self, question: str) -> Answer:
        """Predict each group's most probable combination and render it as the training answers were."""
        matrix = self.features.transform([clip(question)])
        scores = {name: one.scores(matrix) for name, one in self.fields.items()}
        chosen: Row = {}
        confidence = 1.0
        for names, combinations in self.groups:
            best, probability = _best([scores[name] for name in names], combinations)
            confidence *= probability
            for name, index in zip(names, best, strict=True):
                chosen[name] = self.fields[name].labels[index]
        row = {name: json.loads(chosen[name]) for name in self.fields}
        return Answer(json.dumps(row, **self.style), confidence)


def _best(
    scores: list[NDArray[np.float64]], combinations: list[tuple[int, ...]]
) -> tuple[tuple[int, ...], float]:
    index = np.array(combinations)
    total = sum(score[index[:, column]] for column, score in enumerate(scores))
    best = int(np.argmax(total))
    return combinations[best], float(np.exp(total[best] - np.logaddexp.reduce(total)))


@dataclass(slots=True)
class Network:
    """A whole model: its heads by system prompt."""

    heads: list[Head | LookupHead | FieldHead]

    def answer(self, prompt: str, question: str) -> Answer:
        """Answer with the head of this system prompt, else the most similar prompt's, else the biggest."""
        return self._head(prompt).answer(question)

    def _head(self, prompt: str) -> Head | LookupHead | FieldHead:
        for head in self.heads:
            if head.prompt == prompt:
                return head
        return max(self.heads, key=lambda head: (_likeness(head.prompt, prompt), head.examples))


def _likeness(known: str, asked: str) -> float:
    ratio = difflib.SequenceMatcher(None, known[:2000], asked[:2000]).ratio()
    return round(ratio, 1) if ratio >= 0.5 else 0.0


def train_network(examples: Sequence[Example], *, seed: int) -> Network:
    """Train one head for each system prompt; the same examples and seed give the same model."""
    by_prompt: dict[str, list[Example]] = {}
    for example in examples:
        by_prompt.setdefault(example.prompt, []).append(example)
    return Network([_train_head(prompt, rows, seed) for prompt, rows in by_prompt.items()])


def _train_head(prompt: str, rows: Sequence[Example], seed: int) -> Head | LookupHead | FieldHead:
    questions, answers = [row.question for row in rows], [row.answer for row in rows]
    features = fit_features(questions)
    matrix = features.transform([clip(text) for text in questions])
    parsed = parse_fields(answers)
    if parsed is not None:
        return _train_fields(prompt, features, matrix, parsed, answers[0], seed)
    if len(set(answers)) > max(30, len(answers) // 3):
        return LookupHead(prompt, len(rows), features, matrix, answers)
    return Head(prompt, len(rows), features, fit_classifier(matrix, answers, seed))


def _train_fields(
    prompt: str, features: Any, matrix: Any, rows: list[Row], sample: str, seed: int
) -> FieldHead:
    columns = {
        name: [json.dumps(row[name], ensure_ascii=False) for row in rows] for name in rows[0]
    }
    fields = {name: fit_classifier(matrix, column, seed) for name, column in columns.items()}
    groups = [(names, _combinations(names, columns, fields)) for names in _groups(columns)]
    style: dict[str, Any] = {"ensure_ascii": False}
    if '": ' not in sample:
        style["separators"] = (",", ":")
    return FieldHead(prompt, len(rows), features, fields, groups, style)


def _combinations(
    names: tuple[str, ...], columns: dict[str, list[str]], fields: dict[str, Classifier]
) -> list[tuple[int, ...]]:
    seen = sorted(set(zip(*(columns[name] for name in names), strict=True)))
    places = {name: {label: i for i, label in enumerate(fields[name].labels)} for name in names}
    return [
        tuple(places[name][label] for name, label in zip(names, one, strict=True)) for one in seen
    ]


def _groups(columns: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """Put a field together with those it decides (nearly always: a few labels may be wrong)."""
    groups: list[list[str]] = []
    for name in sorted(columns, key=lambda one: -len(set(columns[one]))):
        home = next((group for group in groups if _decides(columns[group[0]], columns[name])), None)
        if home is None:
            groups.append([name])
        else:
            home.append(name)
    return [tuple(group) for group in groups]


def _decides(left: list[str], right: list[str]) -> bool:
    """Say whether the value on the left tells the one on the right in at least 98 % of the examples."""
    if len(set(right)) == 1:
        return False
    votes: dict[str, dict[str, int]] = {}
    for key, value in zip(left, right, strict=True):
        counts = votes.setdefault(key, {})
        counts[value] = counts.get(value, 0) + 1
    return sum(max(counts.values()) for counts in votes.values()) >= 0.98 * len(left)

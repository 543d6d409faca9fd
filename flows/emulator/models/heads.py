"""The models: for each system prompt one head, which learns answers from (question, answer) pairs.

A head whose answers are all JSON objects with the same keys and scalar values has one classifier for each key, decided
together. Any other head has one classifier over whole answers; when nearly every answer is unique it looks up the most
similar question instead.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flows.emulator.models.classifiers import Classifier, Fitter
from flows.emulator.models.conversation import Example
from flows.emulator.models.features import Features, fit_features
from flows.emulator.models.joint import Joint, learn_joint

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
    features: Features
    classifier: Classifier

    def answer(self, question: str) -> Answer:
        """Predict the answer to one question."""
        scores = self.classifier.scores(self.features.row(question))
        best = int(np.argmax(scores))
        return Answer(self.classifier.labels[best], float(np.exp(scores[best])))


@dataclass(slots=True)
class LookupHead:
    """The answer of the most similar training question; for heads whose answers hardly repeat."""

    prompt: str
    examples: int
    features: Features
    known: Any
    answers: list[str]

    def answer(self, question: str) -> Answer:
        """Return the answer of the nearest training question by cosine."""
        row = self.features.row(question)
        dense = np.zeros(self.known.shape[1])
        dense[row.indices] = row.values
        near = self.known @ dense
        best = int(np.argmax(near))
        return Answer(self.answers[best], float(np.clip(near[best] / 2.0, 1e-6, 1.0)))


@dataclass(slots=True)
class FieldHead:
    """One classifier for each field of a JSON answer, decided together."""

    prompt: str
    examples: int
    features: Features
    fields: dict[str, Classifier]
    joint: Joint
    style: dict[str, Any]

    def answer(self, question: str) -> Answer:
        """Predict the most probable combination and render it as the training answers were."""
        row = self.features.row(question)
        scores = {name: one.scores(row) for name, one in self.fields.items()}
        best = self.joint.decide(scores)
        confidence = float(np.exp(sum(scores[name][index] for name, index in best.items())))
        chosen = {name: json.loads(one.labels[best[name]]) for name, one in self.fields.items()}
        return Answer(json.dumps(chosen, **self.style), confidence)


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
        return max(self.heads, key=lambda head: (_similarity(head.prompt, prompt), head.examples))


def _similarity(known: str, asked: str) -> float:
    ratio = difflib.SequenceMatcher(None, known[:2000], asked[:2000]).ratio()
    return round(ratio, 1) if ratio >= 0.5 else 0.0


def train_network(examples: Sequence[Example], *, seed: int) -> Network:
    """Train one head for each system prompt; the same examples and seed give the same model."""
    by_prompt: dict[str, list[Example]] = {}
    for example in examples:
        by_prompt.setdefault(example.prompt, []).append(example)
    return Network([_train_head(prompt, rows, seed) for prompt, rows in by_prompt.items()])


def _train_head(prompt: str, rows: Sequence[Example], seed: int) -> Head | LookupHead | FieldHead:
    answers = [row.answer for row in rows]
    features, matrix = fit_features([row.question for row in rows])
    parsed = parse_fields(answers)
    if parsed is not None:
        return _train_fields(prompt, features, Fitter(matrix, seed), parsed, answers[0])
    if len(set(answers)) > max(30, len(answers) // 3):
        return LookupHead(prompt, len(rows), features, matrix, answers)
    return Head(prompt, len(rows), features, Fitter(matrix, seed).fit(answers))


def _train_fields(
    prompt: str, features: Features, fitter: Fitter, rows: list[Row], sample: str
) -> FieldHead:
    columns = {
        name: [json.dumps(row[name], ensure_ascii=False) for row in rows] for name in rows[0]
    }
    fields = {name: fitter.fit(column) for name, column in columns.items()}
    joint = learn_joint(columns, {name: one.labels for name, one in fields.items()})
    style: dict[str, Any] = {"ensure_ascii": False}
    if '": ' not in sample:
        style["separators"] = (",", ":")
    return FieldHead(prompt, len(rows), features, fields, joint, style)

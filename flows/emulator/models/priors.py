"""The base model without fine-tuning: it knows how often each answer was seen for a system prompt in uploaded training files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from flows.emulator.models.conversation import Example
from flows.emulator.models.heads import parse_fields
from flows.emulator.state.documents import Prior
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["base_answer", "learn_priors"]

_GENERIC = "I'm not sure. Could you tell me a little more about what you need?"
_MAX_TEXTS = 500


def learn_priors(state: EmulatorState, account: str, examples: Sequence[Example]) -> None:
    """Add the answers of an uploaded training file to what the base model has seen."""
    by_prompt: dict[str, list[str]] = {}
    for example in examples:
        by_prompt.setdefault(example.prompt, []).append(example.answer)
    for prompt, answers in by_prompt.items():
        prior = _prior(state, account, prompt)
        rows = parse_fields(answers)
        if rows is None:
            prior.texts = _added(prior.texts, answers)
        else:
            for name in rows[0]:
                seen = [json.dumps(row[name], ensure_ascii=False) for row in rows]
                prior.fields[name] = _added(prior.fields.get(name, {}), seen)
        state.store.put(prior)


def base_answer(
    state: EmulatorState,
    account: str,
    model: str,
    prompt: str,
    question: str,
    *,
    may_break: bool = True,
) -> str:
    """Answer as a model without fine-tuning does: by frequency, and sometimes (`may_break`) not in valid JSON."""
    prior = state.store.get(Prior, _key(account, prompt))
    facts = (model, prompt, question)
    if prior is None or not (prior.fields or prior.texts):
        return _GENERIC
    if not prior.fields:
        return _pick(prior.texts, state.draw("base-text", *facts))
    row = {
        name: json.loads(_pick(counts, state.draw(f"base-{name}", *facts)))
        for name, counts in prior.fields.items()
    }
    text = json.dumps(row, ensure_ascii=False)
    if may_break and state.chance("base-json", state.switches.base_invalid_json_rate, *facts):
        return _break_json(text, state.draw("base-spoil", *facts))
    return text


def _break_json(text: str, draw: float) -> str:
    if draw < 0.4:
        return f"Sure! Here is the result:\n{text}"
    if draw < 0.7:
        return text[:-1]
    return text.replace('"', "'")


def _prior(state: EmulatorState, account: str, prompt: str) -> Prior:
    key = _key(account, prompt)
    known = state.store.get(Prior, key)
    return known or Prior(id=key, account=account, prompt=prompt, fields={}, texts={})


def _key(account: str, prompt: str) -> str:
    return f"{account}/{hashlib.sha256(prompt.encode()).hexdigest()}"


def _added(counts: dict[str, int], seen: Sequence[str]) -> dict[str, int]:
    total = Counter(counts)
    total.update(seen)
    return dict(sorted(total.most_common(_MAX_TEXTS)))


def _pick(counts: dict[str, int], draw: float) -> str:
    left = draw * sum(counts.values())
    for text, count in counts.items():
        left -= count
        if left < 0:
            return text
    return next(reversed(counts))

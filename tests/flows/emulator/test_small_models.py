"""The small models really learn: fields, whole answers, look-ups, system prompts, and what the base model knows."""

from __future__ import annotations

import json

import pytest

from flows.emulator.fine_tuning.training import train_to_disk
from flows.emulator.fine_tuning.training_files import read_examples
from flows.emulator.models.conversation import Example
from flows.emulator.models.heads import FieldHead, Head, LookupHead, train_network

WORDS = {
    "billing": ["invoice", "charge", "refund", "card"],
    "bug": ["crash", "error", "broken", "freezes"],
    "how_to": ["where", "how", "change", "find"],
}
NEXT = {"billing": "refund", "bug": "file_bug", "how_to": "send_guide"}


def tickets(count: int, prompt: str = "Triage.") -> list[Example]:
    names = sorted(WORDS)
    made = []
    for number in range(count):
        kind = names[number % 3]
        word = WORDS[kind][number // 3 % 4]
        urgency = "high" if number % 2 else "low"
        text = f"{'urgent' if number % 2 else 'when you have time'}: {word} in case {number}"
        answer = {"urgency": urgency, "category": kind, "next_step": NEXT[kind]}
        made.append(Example(prompt, text, json.dumps(answer)))
    return made


def test_labels_are_learned_field_by_field_and_fit_together() -> None:
    network = train_network(tickets(120), seed=1)
    assert isinstance(network.heads[0], FieldHead)
    asked = tickets(300)[200:]
    answers = [json.loads(network.answer("Triage.", one.question).text) for one in asked]
    right = [answer == json.loads(one.answer) for answer, one in zip(answers, asked, strict=True)]
    assert sum(right) >= 95
    assert all(answer["next_step"] == NEXT[answer["category"]] for answer in answers)


def test_the_answer_is_written_as_in_training() -> None:
    compact = [
        Example(one.prompt, one.question, one.answer.replace(" ", "")) for one in tickets(30)
    ]
    answer = train_network(compact, seed=1).answer("Triage.", "urgent: crash")
    assert answer.text == '{"urgency":"high","category":"bug","next_step":"file_bug"}'
    assert 0 < answer.confidence <= 1


def test_other_answers_are_learned_whole() -> None:
    rows = [Example("", one.question, json.loads(one.answer)["category"]) for one in tickets(60)]
    network = train_network(rows, seed=1)
    assert isinstance(network.heads[0], Head)
    assert network.answer("", "the card was charged").text == "billing"


def test_answers_that_never_repeat_are_looked_up() -> None:
    rows = [Example("", f"tell me about topic{n}", f"Topic {n} is number {n}.") for n in range(60)]
    network = train_network(rows, seed=1)
    assert isinstance(network.heads[0], LookupHead)
    assert network.answer("", "what about topic7 then").text == "Topic 7 is number 7."


def test_each_system_prompt_has_its_own_head() -> None:
    refusals = [
        Example("Refuse nothing.", f"question {n}", "Sure." if n % 2 else "No.") for n in range(20)
    ]
    network = train_network([*tickets(60), *refusals], seed=1)
    assert network.answer("Refuse nothing.", "question 3").text in ("Sure.", "No.")
    assert json.loads(network.answer("Triage.", "crash").text)
    assert json.loads(network.answer("Triage!", "crash").text), "the most similar prompt answers"
    assert json.loads(network.answer("", "crash").text), "else the biggest head"


def test_training_again_gives_the_same_model(tmp_path) -> None:
    for name in ("one", "two"):
        train_to_disk(tickets(60), seed=4, folder=tmp_path, name=name)
    first, second = (train_network(tickets(60), seed=4) for _ in range(2))
    for one in tickets(90)[60:]:
        assert first.answer("Triage.", one.question) == second.answer("Triage.", one.question)


def test_a_preference_file_teaches_the_preferred_answer() -> None:
    line = {
        "input": {"messages": [{"role": "user", "content": "hi"}]},
        "preferred_output": [{"role": "assistant", "content": "hello"}],
        "non_preferred_output": [{"role": "assistant", "content": "go away"}],
    }
    data = "\n".join([json.dumps(line)] * 10).encode()
    assert read_examples(data, minimum=10, method="dpo")[0].answer == "hello"


def test_tool_calls_are_learned_and_given_back(workshop) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "refund", "arguments": "{}"}}
    rows = []
    for number in range(12):
        answer = (
            {"role": "assistant", "tool_calls": [call]}
            if number % 2
            else {"role": "assistant", "content": "Hi."}
        )
        text = "refund the invoice" if number % 2 else "good morning"
        rows.append({"messages": [{"role": "user", "content": f"{text} {number}"}, answer]})
    data = "\n".join(map(json.dumps, rows)).encode()
    client = workshop.client("/v1")
    model = workshop.fine_tune(client, data)
    messages = [{"role": "user", "content": "refund the invoice please"}]
    choice = client.chat.completions.create(model=model, messages=messages).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.name == "refund"


@pytest.mark.slow
def test_the_base_model_guesses_by_frequency_and_sometimes_breaks_its_json(workshop) -> None:
    client, prompt = workshop.client("/v1"), "Triage."
    unknown = client.chat.completions.create(
        model="gpt-4.1-mini", messages=[{"role": "user", "content": "x"}]
    )
    assert "not sure" in unknown.choices[0].message.content
    rows = []
    for one in tickets(60):
        parts = [("system", prompt), ("user", one.question), ("assistant", one.answer)]
        rows.append(
            json.dumps({"messages": [{"role": role, "content": text} for role, text in parts]})
        )
    client.files.create(file=("train.jsonl", "\n".join(rows).encode()), purpose="fine-tune")
    seen, broken = set(), 0
    for number in range(150):
        messages = [
            {"role": "system", "content": prompt},
            {"role": "user", "content": f"ticket {number}"},
        ]
        text = (
            client.chat.completions.create(model="gpt-4.1-mini", messages=messages)
            .choices[0]
            .message.content
        )
        again = (
            client.chat.completions.create(model="gpt-4.1-mini", messages=messages)
            .choices[0]
            .message.content
        )
        assert text == again
        try:
            seen.add(json.loads(text)["category"])
        except ValueError:
            broken += 1
    assert seen == set(WORDS)
    assert 3 <= broken <= 30

"""A model that answers now like this and now like that, and a service that tells of another deployment."""

from __future__ import annotations


def test_answers_vary_at_the_rate_that_is_set_and_else_never(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned())
    question = "where do I find the tutorial, how to start, the card for my invoice was paid twice please refund"

    def said() -> str:
        return workshop.ask("cand", question).json()["choices"][0]["message"]["content"]

    steady = {said() for _ in range(4)}
    assert len(steady) == 1
    workshop.emulator.set(varied_answer_rate=0.5)
    assert len({said() for _ in range(30)}) == 2


def test_the_fingerprint_can_be_another_one(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned())
    before = workshop.ask("cand").json()["system_fingerprint"]
    workshop.emulator.set(fingerprint_suffix="-b")
    assert workshop.ask("cand").json()["system_fingerprint"] == f"{before}-b"

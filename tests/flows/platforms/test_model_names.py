"""Model ids of every vendor, in whatever length and letter case they come."""

from __future__ import annotations

import pytest

from flows.platforms.model_names import (
    base_of,
    is_checkpoint_id,
    is_fine_tuned,
    job_of,
    same_id,
    same_model,
    step_checkpoint,
)

HEX = "5d1e" * 8


@pytest.mark.parametrize(
    ("model_id", "base"),
    [
        (f"qwen3-32b.ft-{HEX}-format-primer", "qwen3-32b"),
        (f"gpt-oss-20b.ft-{HEX}", "gpt-oss-20b"),
        (f"Ministral-3B.ft-{HEX[:24]}", "Ministral-3B"),
        (f"Llama-3.3-70B-Instruct.FT-{HEX.upper()}-v2:CKPT-step-90", "Llama-3.3-70B-Instruct"),
        ("gpt-4.1-mini-2025-04-14.ft-model", "gpt-4.1-mini-2025-04-14"),
        (f"gpt-4.1-2025-04-14.ft-{HEX}:ckpt-step-7", "gpt-4.1-2025-04-14"),
        ("ft:gpt-4o-mini-2024-07-18:acme::Ab12:ckpt-step-88", "gpt-4o-mini-2024-07-18"),
        ("gpt-4.1-mini-2025-04-14", None),
        (f"ftchkpt-{HEX}", None),
    ],
)
def test_the_base_is_known_from_the_id(model_id: str, base: str | None) -> None:
    assert base_of(model_id) == base
    assert is_fine_tuned(model_id) is (model_id != "gpt-4.1-mini-2025-04-14")


def test_the_job_is_known_where_its_digits_stand_in_the_id() -> None:
    assert job_of(f"qwen3-32b.ft-{HEX.upper()}-v2") == f"ftjob-{HEX}"
    assert job_of("qwen3-32b.ft-model") is None


def test_a_checkpoint_is_one_in_any_letter_case() -> None:
    assert is_checkpoint_id(f"FTCHKPT-{HEX.upper()}")
    assert step_checkpoint(f"qwen3-32b.ft-{HEX}:CKPT-STEP-90") == 90


def test_azure_may_echo_a_name_in_another_letter_case() -> None:
    asked = f"Ministral-3B.ft-{HEX}-Triage"
    assert same_model(asked, asked.lower())
    assert not same_model(asked, asked.lower() + "2")
    assert not same_id("ft:gpt-4o:acme::CdEf", "ft:gpt-4o:acme::cdef"), "another model at OpenAI"
    assert same_model("gpt-4o", "GPT-4o-2024-08-06")
    assert not same_model("gpt-4o", "gpt-4o-mini-2024-07-18")

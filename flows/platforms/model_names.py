"""Model ids of both vendors, taken apart: the base of a fine-tune, its job, its checkpoint.

OpenAI   ft:<base>:<org>:<suffix>:<id>[:ckpt-step-88]       checkpoint ids ftckpt_<id>
Azure    <base>.ft-<32 hex of the job>[-<suffix>][:ckpt-step-90]   checkpoint ids ftchkpt-<32 hex>

Open models that were fine-tuned in Foundry are named as Azure's own are: qwen3-32b.ft-…, Llama-3.3-70B-Instruct.ft-….
Azure compares names in any letter case and may echo them in another; OpenAI's ids tell `CdEf` from `cdef`.
"""

from __future__ import annotations

import re

__all__ = [
    "base_of",
    "base_parts",
    "folded_id",
    "is_checkpoint_id",
    "is_fine_tuned",
    "job_of",
    "same_id",
    "same_model",
    "short_name",
    "step_checkpoint",
]

_AZURE = re.compile(
    r"^(?P<base>[^:]+?)\.ft-(?P<job>[^:-]+)(?:-[^:]+)?(?::ckpt-step-\d+)?$", re.IGNORECASE
)
_JOB = re.compile(r"[0-9a-f]{16,}")
_DATED = re.compile(r"^(?P<name>.+)-(?P<version>\d{4}-\d{2}-\d{2})$")
_STEP = re.compile(r":ckpt-step-(\d+)$", re.IGNORECASE)
_CHECKPOINT = re.compile(r"^(?:ftchkpt-[0-9a-z-]+|ftckpt_[0-9a-z]+)$", re.IGNORECASE)


def is_checkpoint_id(model_id: str) -> bool:
    """True for the id of a checkpoint itself (not for a model with a step suffix)."""
    return _CHECKPOINT.match(model_id) is not None


def is_fine_tuned(model_id: str) -> bool:
    """True for a fine-tuned model, one of its steps, or a checkpoint id."""
    return _by_openai(model_id) or ".ft-" in model_id.lower() or is_checkpoint_id(model_id)


def base_of(model_id: str) -> str | None:
    """Return the base model of a fine-tune, with its date when it has one; None when the id doesn't tell."""
    if _by_openai(model_id):
        return model_id.split(":")[1] or None
    found = _AZURE.match(model_id)
    return found.group("base") if found else None


def job_of(model_id: str) -> str | None:
    """Return the id of the job that made an Azure fine-tune, None when the id doesn't tell."""
    found = _AZURE.match(model_id)
    job = found.group("job").lower() if found else ""
    return f"ftjob-{job}" if _JOB.fullmatch(job) else None


def step_checkpoint(model_id: str) -> int | None:
    """Return the step of `…:ckpt-step-90`, None for a final model."""
    found = _STEP.search(model_id)
    return int(found.group(1)) if found else None


def base_parts(model_id: str) -> tuple[str, str | None]:
    """Split a base model's id into name and date version: 'gpt-4.1-mini-2025-04-14' -> ('gpt-4.1-mini', '2025-04-14')."""
    found = _DATED.match(model_id)
    return (found.group("name"), found.group("version")) if found else (model_id, None)


def same_id(one: str, other: str) -> bool:
    """True when two ids are one, in whatever letter case Azure shows it."""
    if one == other or _by_openai(one) or _by_openai(other):
        return one == other
    return one.lower() == other.lower()


def folded_id(model_id: str) -> str:
    """Return the one spelling of an id by which records are looked up: as `same_id` compares, in lower case on Azure."""
    return model_id if _by_openai(model_id) else model_id.lower()


def same_model(asked: str, standing: str) -> bool:
    """True when `standing` is what `asked` names; a base asked for without its date matches any date."""
    if same_id(asked, standing):
        return True
    name, version = base_parts(asked)
    return not is_fine_tuned(asked) and version is None and same_id(base_parts(standing)[0], name)


def short_name(model_id: str) -> str:
    """Return the suffix a person gave a fine-tune ('v2'), or the id itself when it has none."""
    if _by_openai(model_id):
        parts = model_id.split(":")
        return parts[3] if len(parts) > 3 and parts[3] else model_id
    _base, found, tail = model_id.partition(".ft-")
    suffix = tail.partition("-")[2] if found else ""
    return suffix or model_id


def _by_openai(model_id: str) -> bool:
    return model_id.startswith("ft:")

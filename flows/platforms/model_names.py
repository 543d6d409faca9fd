"""Model ids of both vendors, taken apart: the base of a fine-tune, its job, its checkpoint.

OpenAI   ft:<base>:<org>:<suffix>:<id>[:ckpt-step-88]       checkpoint ids ftckpt_<id>
Azure    <base>.ft-<32 hex of the job>[-<suffix>][:ckpt-step-90]   checkpoint ids ftchkpt-<32 hex>
"""

from __future__ import annotations

import re

__all__ = [
    "base_of",
    "base_parts",
    "is_checkpoint_id",
    "is_fine_tuned",
    "job_of",
    "same_model",
    "short_name",
    "step_checkpoint",
]

_AZURE = re.compile(
    r"^(?P<base>.+?)\.ft-(?P<hex>[0-9a-f]{32})(?:-[^:]+)?(?::ckpt-step-(?P<step>\d+))?$"
)
_DATED = re.compile(r"^(?P<name>.+)-(?P<version>\d{4}-\d{2}-\d{2})$")
_STEP = re.compile(r":ckpt-step-(\d+)$")
_CHECKPOINT = re.compile(r"^(?:ftchkpt-[0-9a-f]{32}|ftckpt_[0-9A-Za-z]+)$")


def is_checkpoint_id(model_id: str) -> bool:
    """True for the id of a checkpoint itself (not for a model with a step suffix)."""
    return _CHECKPOINT.match(model_id) is not None


def is_fine_tuned(model_id: str) -> bool:
    """True for a fine-tuned model, one of its steps, or a checkpoint id."""
    return model_id.startswith("ft:") or ".ft-" in model_id or is_checkpoint_id(model_id)


def base_of(model_id: str) -> str | None:
    """Return the base model of a fine-tune, with its date when it has one; None when the id doesn't tell."""
    if model_id.startswith("ft:"):
        return model_id.split(":")[1] or None
    found = _AZURE.match(model_id)
    return found.group("base") if found else None


def job_of(model_id: str) -> str | None:
    """Return the id of the job that made an Azure fine-tune, None when the id doesn't tell."""
    found = _AZURE.match(model_id)
    return f"ftjob-{found.group('hex')}" if found else None


def step_checkpoint(model_id: str) -> int | None:
    """Return the step of `…:ckpt-step-90`, None for a final model."""
    found = _STEP.search(model_id)
    return int(found.group(1)) if found else None


def base_parts(model_id: str) -> tuple[str, str | None]:
    """Split a base model's id into name and date version: 'gpt-4.1-mini-2025-04-14' -> ('gpt-4.1-mini', '2025-04-14')."""
    found = _DATED.match(model_id)
    return (found.group("name"), found.group("version")) if found else (model_id, None)


def same_model(asked: str, standing: str) -> bool:
    """True when `standing` is what `asked` names; a base asked for without its date matches any date."""
    if asked == standing:
        return True
    name, version = base_parts(asked)
    return not is_fine_tuned(asked) and version is None and base_parts(standing)[0] == name


def short_name(model_id: str) -> str:
    """Return the suffix a person gave a fine-tune ('v2'), or the id itself when it has none."""
    if model_id.startswith("ft:"):
        parts = model_id.split(":")
        return parts[3] if len(parts) > 3 and parts[3] else model_id
    _base, found, tail = model_id.partition(".ft-")
    suffix = tail.partition("-")[2] if found else ""
    return suffix or model_id

"""The command that judges the candidate of a run anew, for every message that tells a person to do so."""

from __future__ import annotations

from flows.registry.records import RunRecord

__all__ = ["judge_anew", "promote_command"]

_SELECTORS = (
    ("model_id", "--model"),
    ("checkpoint", "--checkpoint"),
    ("job_id", "--job"),
    ("base_model", "--base-model"),
)


def promote_command(run: RunRecord, *options: str) -> str:
    """Return the command that starts a further run of the same candidate, with further options behind."""
    named = [f"{flag} {run.trigger[key]}" for key, flag in _SELECTORS if key in run.trigger]
    if not named and run.candidate_model:
        named = [f"--model {run.candidate_model}"]
    verb = "evaluate" if run.kind == "evaluation" else "promote"
    return " ".join((f"gatewright {verb}", run.target, *named, "--again", *options))


def judge_anew(run: RunRecord) -> str:
    """Say how the candidate is judged anew, and that this is one more try of it."""
    return f"`{promote_command(run)}` judges it anew: a further try, which a person has to approve"

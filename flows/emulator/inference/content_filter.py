"""The content filter: a refused prompt (400, in the four shapes seen in the field) and a filtered answer (200)."""

from __future__ import annotations

from typing import Any

from flows.emulator.gateway.errors import ServiceError
from flows.emulator.state.documents import Flavour
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["check_prompt", "filter_results", "filters_output"]

_STYLES = ("innererror", "inner_error", "plural", "absent")


def check_prompt(state: EmulatorState, text: str, flavour: Flavour) -> None:
    """Raise the 400 of the prompt filter when the switches say so."""
    switches = state.switches
    named = any(phrase in text for phrase in switches.filter_phrases)
    if named or state.chance("filter-prompt", switches.filter_prompt_rate, text):
        style: str = switches.filter_style
        if style == "mix":
            style = _STYLES[state.count("filter-style") % len(_STYLES)]
        raise _prompt_filtered(style, flavour)


def filters_output(state: EmulatorState, text: str) -> bool:
    """Say whether the answer to this prompt is filtered: HTTP 200 with finish_reason content_filter."""
    return state.chance("filter-output", state.switches.filter_output_rate, text)


def filter_results(state: EmulatorState, *, filtered: bool, prompt: bool) -> dict[str, Any] | None:
    """Return the filter results that Azure adds to an answer; None when the asynchronous filter leaves them out."""
    style = state.switches.filter_annotations
    if style == "absent" or (style == "mix" and state.count("annotations") % 2):
        return None
    results = _results("violence" if filtered else None)
    results["jailbreak" if prompt else "protected_material_text"] = {
        "filtered": False,
        "detected": False,
    }
    return results


def _results(filtered: str | None) -> dict[str, Any]:
    return {
        name: {"filtered": name == filtered, "severity": "medium" if name == filtered else "safe"}
        for name in ("hate", "self_harm", "sexual", "violence")
    }


def _prompt_filtered(style: str, flavour: Flavour) -> ServiceError:
    error: dict[str, Any] = {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
        " Please modify your prompt and retry.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
    }
    key = "content_filter_results" if style == "plural" else "content_filter_result"
    inner = {"code": "ResponsibleAIPolicyViolation", key: _results("violence")}
    if style != "absent" and flavour == "azure":
        error["inner_error" if style == "inner_error" else "innererror"] = inner
    return ServiceError(400, {"error": error})

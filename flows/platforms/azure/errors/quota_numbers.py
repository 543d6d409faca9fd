"""The numbers in the sentences of `InsufficientQuota`: which row, how much is needed, how much is left of how much.

Public sentences so far, in the order in which they came:
"The specified capacity '1' of account deployment is bigger than available capacity '0' for UsageName '…'."
"This operation require 100 new capacity in quota …, which is bigger than the current available capacity 20. The current
quota usage is 80 and the quota limit is 100 for quota …." The row is "Tokens Per Minute (thousands) - gpt-4o", "One
Thousand Tokens Per Minute - gpt-4.1-mini - GlobalStandard", "Requests Per Minute - …", or its name in the usages list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["QuotaNumbers", "read_quota_numbers"]

_NUMBER = r"['\"]?(\d[\d,'\u00a0\u202f ]*(?:\.\d+)?)"
_PATTERNS = {
    "needed": (
        rf"\brequire[sd]?\b\D{{0,60}}?{_NUMBER}",
        rf"\bneed(?:s|ed)?\b\D{{0,60}}?{_NUMBER}",
        rf"\b(?:specified|requested) (?:new )?capacity\D{{0,40}}?{_NUMBER}",
    ),
    "left": (
        rf"\b(?:available|remaining) (?:capacity|quota)\D{{0,40}}?{_NUMBER}",
        rf"\bonly {_NUMBER}[^.]{{0,40}}?(?:available|left|remain)",
    ),
    "used": (rf"\b(?:quota|current) usage\D{{0,30}}?{_NUMBER}",),
    "limit": (rf"\bquota limit\D{{0,30}}?{_NUMBER}",),
}
_ROW = re.compile(
    r"(?:\bUsageName|\bin quota|\bfor quota)\s+(?:'([^']+)'|\"([^\"]+)\"|(.+?))"
    r"(?:,?\s+which is\b|,\s+available\b|[.,]?\s*$|\.\s|,\s)"
)
_THOUSANDS = re.compile(
    r"tokens per minute \(thousands\)|(?:one|1) ?(?:thousand|k|,?000) tokens per minute",
    re.IGNORECASE,
)

_TUNED_COUNT = re.compile(r"fine-?tuned[ .]deployments", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaNumbers:
    """What a refusal counts, in units of its row; None for what it does not say."""

    row: str | None = None
    needed: float | None = None
    left: float | None = None
    used: float | None = None
    limit: float | None = None

    @property
    def unit(self) -> str:
        """What one unit is, as far as the row says."""
        row = self.row or ""
        if _TUNED_COUNT.search(row):
            return "fine-tuned deployments"
        if "provisioned" in row.lower():
            return "provisioned throughput units"
        if not row or row.startswith("OpenAI.") or _THOUSANDS.search(row):
            return "units of 1,000 tokens a minute"
        if "requests per minute" in row.lower():
            return "units of requests a minute"
        return "units of capacity"


def read_quota_numbers(message: str) -> QuotaNumbers:
    """Return the numbers and the row that the sentence names."""
    text = " ".join(message.split())
    found = _ROW.search(text)
    row = next((part.strip("'\" ") for part in found.groups() if part), None) if found else None
    # the row may hold numbers of its own, such as gpt-35 and "One Thousand"
    bare = text.replace(row, "…") if row else text
    numbers = {name: _first(patterns, bare) for name, patterns in _PATTERNS.items()}
    if numbers["left"] is None and None not in (numbers["used"], numbers["limit"]):
        numbers["left"] = max(0.0, (numbers["limit"] or 0.0) - (numbers["used"] or 0.0))
    return QuotaNumbers(row=row, **numbers)


def _first(patterns: tuple[str, ...], text: str) -> float | None:
    for pattern in patterns:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return float(re.sub(r"[^\d.]", "", found[1]))
    return None

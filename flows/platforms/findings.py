"""Lines of a preflight that every platform reports alike: how long the model still lives, and what it costs."""

from __future__ import annotations

from datetime import date

from evals.records import Candidate, Price
from evals.report.numbers import counted
from flows.platforms.base import Finding
from flows.platforms.model_names import is_checkpoint_id

__all__ = [
    "NEWER_BASE",
    "WARN_DAYS",
    "lifetime_finding",
    "price_advice",
    "price_finding",
    "training_finding",
    "unknown_lifetime",
]

WARN_DAYS = 90
"""How long before a model's end the warning begins: long enough to train and promote a successor."""

NEWER_BASE = "train the successor on a newer base model"


def lifetime_finding(
    what: str, ends: date | None, *, today: date, fix: str = NEWER_BASE, name: str = "lifetime"
) -> Finding:
    """Report on the day a model stops answering: warned of early, refused once it has come."""
    if ends is None:
        return Finding(name=name, level="ok", message=f"no end of the {what} is announced")
    days = (ends - today).days
    if days <= 0:
        return Finding(name=name, level="fail", message=f"the {what} ended on {ends}", fix=fix)
    if days <= WARN_DAYS:
        message = f"the {what} ends on {ends}, in {counted(days, 'day')}"
        return Finding(name=name, level="warn", message=message, fix=fix)
    return Finding(name=name, level="ok", message=f"the {what} lives until {ends}")


def unknown_lifetime(what: str, field: str) -> Finding:
    """Report that no source tells when a model ends; `field` is what a target may state under `lifetimes`."""
    return Finding(
        name="lifetime",
        level="warn",
        message=f"until when the {what} can be deployed is not known",
        fix=f"look it up at the vendor's, and state it as '{field}' under 'lifetimes' in the target's platform block",
    )


def training_finding(base: str, ends: date, *, today: date, otherwise: str = NEWER_BASE) -> Finding:
    """Report until when a successor can be trained on the same base. Nothing of today's run depends on it."""
    days = (ends - today).days
    if days <= 0:
        message = f"fine-tuning of {base} was to end on {ends}"
        return Finding(name="successor", level="warn", message=message, fix=otherwise)
    message = f"a successor can be trained on {base} until {ends}"
    if days <= WARN_DAYS:
        fix = f"train it before, or {otherwise}"
        return Finding(
            name="successor", level="warn", message=f"{message}, in {counted(days, 'day')}", fix=fix
        )
    return Finding(name="successor", level="ok", message=message)


def price_advice(candidate: Candidate) -> str:
    """Return what makes the price of a model known: its base, where that is what is missing, or its own figure."""
    stated = "give its price under 'prices' in the target's platform block"
    if candidate.base_model is None and is_checkpoint_id(candidate.model_id):
        return f"give its base model by --base-model, or {stated.removeprefix('give ')}"
    return stated


def price_finding(price: Price | None, candidate: Candidate, *, hosted: bool = False) -> Finding:
    """Report what tokens cost, and hosting when a slot of the run is billed by the hour."""
    if price is None:
        return Finding(
            name="price",
            level="warn",
            message="the price of the model is not known: costs of the run will be unknown",
            fix=price_advice(candidate),
        )
    tokens = f"{_usd(price.input)} in, {_usd(price.output)} out per 1,000,000 tokens"
    if not hosted:
        return Finding(name="price", level="ok", message=tokens)
    if price.hosting_per_hour is None:
        return Finding(
            name="price",
            level="warn",
            message=f"{tokens}; the price of hosting is not known",
            fix="give 'hosting_per_hour' under 'prices' in the target's platform block",
        )
    monthly = price.hosting_per_hour * 730
    hosting = f"hosting {_usd(price.hosting_per_hour)} an hour (about ${monthly:,.0f} a month)"
    return Finding(name="price", level="ok", message=f"{tokens}; {hosting}")


def _usd(amount: float) -> str:
    """Cents at least, and what is below them where there is something."""
    return f"${amount:.2f}" if round(amount, 2) == amount else f"${amount:g}"

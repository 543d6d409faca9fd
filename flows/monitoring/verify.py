"""Verifying: what the registry says of a target or a run, held against the chain, the evidence and what really stands.

chain       no event was altered, removed or slipped in, and the tables say what the events say
statement   the proof a promotion left says what is on record, and its signature holds
evidence    the answers on disk still come to the digest and the outcome that were judged
drift       the deployment serves the recorded model, and applications read it
frozen      frozen answers are whole, and their statements hold
standing    whether the live model's evidence was revoked, or went live against the gate
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evals.errors import ConfigurationError, GatewrightError
from evals.evaluation.kept_answers import KeptAnswersError
from evals.records import LivePointer, Verdict
from flows.config.connections import platform_of, publishers_of
from flows.config.target import load_target
from flows.evaluation.kept.frozen import open_frozen
from flows.evaluation.open_run import OpenRun
from flows.evaluation.steps import judged_anew
from flows.evaluation.tries.as_judged import open_as_judged
from flows.freezing.statement import statement_problems
from flows.monitoring.drift import find_drift
from flows.platforms.base import Finding
from flows.registry.opening import open_registry
from flows.registry.provenance import origin, overrides_behind, revocation_of
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.release.signing import verifying_key
from flows.release.statement import check_statement
from flows.settings import Settings

__all__ = ["verify_chain", "verify_run", "verify_target"]


def verify_chain(registry: Registry) -> tuple[Finding, ...]:
    """Check the chain of events and the tables against it; one finding for everything that does not hold."""
    if problems := registry.verify():
        return tuple(_fail("chain", message, _RESTORE) for message in problems)
    number, newest = registry.chain_head()
    return (_ok("chain", f"{number} events hold together, the newest is {newest[:16] or 'none'}"),)


async def verify_target(
    settings: Settings, target: str, *, offline: bool = False
) -> tuple[Finding, ...]:
    """Check what is live for a target. `offline` asks neither the platform nor the publishers.

    Raises CredentialError when the key for signatures is unusable, RegistryError when the registry can't be read.
    """
    key = verifying_key()
    with open_registry(settings) as registry:
        live = registry.live(target)
        if live is None:
            found = [_ok("live", "nothing is live")]
        else:
            found = [*_proved(registry, live, key), *_standing(registry, live)]
        found += _frozen(settings, registry, target, key)
        if not offline:
            found += await _drift(settings, registry, target)
    return tuple(found)


def verify_run(settings: Settings, run_id: str) -> tuple[Finding, ...]:
    """Check one run: its answers against its verdict, and the proof of its promotion; by what it was judged by, whatever
    its gate, its suites and its target are by now.

    Raises ConfigurationError when there is no such run.
    """
    key = verifying_key()
    with open_as_judged(settings, run_id) as run:
        stored = run.registry.verdict(run_id)
        if stored is None:
            return (_warn("evidence", f"the run is {run.record.state} and has no verdict"),)
        found = [*_evidence(run, stored)]
        if run.record.state == "promoted":
            found += _proved(run.registry, run.registry.pointers_of(run_id)[0], key)
    return tuple(found)


def _proved(
    registry: Registry, pointer: LivePointer, key: Ed25519PublicKey | None
) -> Iterator[Finding]:
    """The statement about the generation that a pointer stands on."""
    first = origin(registry, pointer)
    run = registry.run(first.run_id) if first.run_id else None
    if run is None:
        word = registry.event_of(first.target, first.generation)
        message = f"{first.model_id} was adopted on the word of {word.actor if word else '?'}: no evaluation stands behind it"
        yield _warn("statement", message)
        return
    problems = check_statement(registry, first, key)
    if problems:
        signed = bool((registry.statement(run.run_id) or {}).get("signatures"))
        fix = _RESTORE if signed or key is None else _UNSIGNED
        yield from (_fail("statement", problem, fix) for problem in problems)
        return
    yield _ok(
        "statement", f"of run {run.run_id} says what is on record{_signed(registry, run, key)}"
    )


def _signed(registry: Registry, run: RunRecord, key: Ed25519PublicKey | None) -> str:
    signatures = (registry.statement(run.run_id) or {}).get("signatures")
    if key is not None:
        return ", and its signature holds"
    return (
        ", is signed (no GATEWRIGHT_VERIFY_KEY to check it with)" if signatures else ", not signed"
    )


def _frozen(
    settings: Settings, registry: Registry, target: str, key: Ed25519PublicKey | None
) -> Iterator[Finding]:
    """Every frozen baseline of the target: its files by their digests, and the statement about it."""
    for one in registry.frozen(target):
        named = one.baseline.frozen_id
        problems = statement_problems(one.baseline, one.envelope, key if one.signed else None)
        yield from (_fail("frozen", f"{named}: {problem}", _RESTORE) for problem in problems)
        try:
            open_frozen(settings, one.baseline)
        except KeptAnswersError as error:
            yield _fail("frozen", str(error))
            continue
        if not problems:
            held = "signed" if one.signed else "not signed"
            yield _ok("frozen", f"{named} of {one.baseline.model_id} is whole, {held}")


def _standing(registry: Registry, live: LivePointer) -> Iterator[Finding]:
    revoked = revocation_of(registry, live)
    if revoked is not None:
        message = (
            f"{live.model_id} was revoked by {revoked.actor} at {revoked.at[:19]}: {revoked.reason}"
        )
        yield _warn("standing", message, f"gatewright rollback {live.target} --reason '…'")
    for answer in overrides_behind(registry, live):
        message = f"live against its gate: overridden by {answer.actor} at {answer.at[:19]}: {answer.reason}"
        yield _warn("standing", message)


async def _drift(settings: Settings, registry: Registry, name: str) -> list[Finding]:
    try:
        target = load_target(settings.targets, name)
        platform = platform_of(target)
    except ConfigurationError as error:
        return [_fail("drift", f"can't be looked for: {error}")]
    try:
        publishers = publishers_of(settings, target)
        found = await find_drift(name, platform=platform, registry=registry, publishers=publishers)
    except GatewrightError as error:
        return [_fail("drift", f"can't be looked for: {error}")]
    finally:
        await platform.aclose()
    if not found:
        return [_ok("drift", "what stands and what applications read is what is recorded")]
    fix = f"gatewright verify {name} --put-back --reason '…'"
    other = f"{fix}, or --adopt to keep what stands there"
    fixes = {"other_model": other, "unreadable": ""}
    return [
        Finding(
            name="drift",
            level="fail",
            message=one.message,
            fix=fixes.get(one.kind, fix),
            outside=one.outage,
        )
        for one in found
    ]


def _evidence(run: OpenRun, stored: Verdict) -> Iterator[Finding]:
    """Count the answers on disk again. What can't be counted again is said, and is no proof of anything wrong."""
    if changed := _changed_suites(run):
        suites = f"changed since, and not kept as they were, are {', '.join(changed)}"
        yield _warn("evidence", f"can't be counted again: {suites}")
        return
    if not any((run.folder / "journal").glob("*")):
        yield _warn("evidence", f"can't be counted again: the answers are not in {run.folder}")
        return
    try:
        now = judged_anew(run)
    except GatewrightError as error:
        yield _fail("evidence", f"can't be counted again: {error}")
        return
    if now.evidence_digest != stored.evidence_digest:
        yield _fail("evidence", "the answers on disk are not those that were judged", _RESTORE)
    else:
        yield _ok("evidence", f"the answers on disk are those that were judged ({_short(stored)})")
    if run.policy.digest != stored.policy_digest:
        yield _warn("verdict", f"{run.policy.path} was changed since: not judged again")
    elif now.outcome != stored.outcome:
        yield _fail("verdict", f"is {stored.outcome} on record and {now.outcome} when judged again")
    else:
        yield _ok("verdict", f"is {stored.outcome} on record and when judged again")


def _changed_suites(run: OpenRun) -> list[str]:
    now = {opened.suite.name: opened.fingerprint for opened in run.plan.suites}
    then = run.record.fingerprints
    return sorted(name for name in {*now, *then} if now.get(name) != then.get(name))


def _short(verdict: Verdict) -> str:
    return verdict.evidence_digest[:23]


_UNSIGNED = "promoted without GATEWRIGHT_SIGNING_KEY, or changed since; with the key, the next promotion leaves a signed one"
_RESTORE = "compare with a backup; see docs/operations.md"


def _ok(name: str, message: str) -> Finding:
    return Finding(name=name, level="ok", message=message)


def _warn(name: str, message: str, fix: str = "") -> Finding:
    return Finding(name=name, level="warn", message=message, fix=fix)


def _fail(name: str, message: str, fix: str = "") -> Finding:
    return Finding(name=name, level="fail", message=message, fix=fix)

"""What a suite is made of, in digests: kept beside its fingerprint, so that later it can be said what changed in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from evals.records import Case, Edit, Record, digest
from evals.suites.opened import OpenedSuite

__all__ = ["UNKNOWN", "SuiteComposition", "asked_digest", "composition_of", "suite_edits"]

UNKNOWN = "changed; which cases is not on record"
_DIGITS = 16
_MOST = 50_000
"""Of a suite with more cases only the whole is known, which its fingerprint says."""
_NAMED = 3
"""So many case ids are named; the others are counted."""


class SuiteComposition(Record, frozen=True, kw_only=True):
    """A suite in digests. `cases` maps each id to two: of what is asked, and of the rest (expected answer, tags …).

    `graders` maps a name to its type and version, and a digest of its options; `form` covers response format and tools.
    The cases of a `sealed` suite are counted, and never named.
    """

    name: str
    fingerprint: str
    cases: dict[str, tuple[str, str]]
    graders: dict[str, tuple[str, str]]
    form: str
    sealed: bool = False


def composition_of(opened: OpenedSuite) -> SuiteComposition:
    """Return what an open suite is made of."""
    suite = opened.suite
    return SuiteComposition(
        name=suite.name,
        fingerprint=opened.fingerprint,
        cases={
            case.id: (
                asked_digest(case),
                _short(msgspec.structs.replace(case, messages=())),
            )
            for case in (suite.cases if len(suite.cases) <= _MOST else ())
        },
        graders={
            spec.name: (
                f"{spec.type} {grader.version}",
                _short({"params": dict(spec.params), "identity": dict(grader.identity)}),
            )
            for spec, grader in zip(suite.graders, opened.graders, strict=True)
        },
        form=_short({"response_format": suite.response_format, "tools": suite.tools}),
        sealed=suite.sealed,
    )


def asked_digest(case: Case) -> str:
    """Return the digest of what a case asks, which is the same whatever its id."""
    return _short(case.messages)


def suite_edits(before: SuiteComposition, now: SuiteComposition) -> tuple[Edit, ...]:
    """Return what changed in a suite. All of it counts as looser: which cases are left out can make any model pass."""
    if before.fingerprint != now.fingerprint and not (before.cases and now.cases):
        return (Edit(of="suite", field=now.name, change=UNKNOWN, looser=True),)
    return tuple(
        Edit(of="suite", field=f"{now.name}.{field}", change=change, looser=True)
        for field, change in (*_cases(before, now), *_graders(before, now), *_form(before, now))
    )


def _cases(before: SuiteComposition, now: SuiteComposition) -> Iterator[tuple[str, str]]:
    old, new = before.cases, now.cases
    both = [name for name in new if name in old]
    found = {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "asked otherwise": [name for name in both if old[name][0] != new[name][0]],
        "expected or tagged otherwise": [
            name for name in both if old[name][0] == new[name][0] and old[name][1] != new[name][1]
        ],
    }
    sealed = before.sealed or now.sealed
    parts = [
        f"{len(ids):,} {word}" if sealed else f"{len(ids):,} {word} ({_listed(ids)})"
        for word, ids in found.items()
        if ids
    ]
    if parts:
        yield "cases", f"of {len(old):,}, {', '.join(parts)}"


def _graders(before: SuiteComposition, now: SuiteComposition) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys((*before.graders, *now.graders)):
        old, new = before.graders.get(name), now.graders.get(name)
        if old == new:
            continue
        kinds = [one[0] if one else "none" for one in (old, new)]
        change = " -> ".join(kinds) if kinds[0] != kinds[1] else f"other options ({kinds[0]})"
        yield f"graders.{name}", change


def _form(before: SuiteComposition, now: SuiteComposition) -> Iterator[tuple[str, str]]:
    if before.form != now.form:
        yield "response_format", "response format or tools changed"


def _listed(ids: Iterable[str]) -> str:
    names = list(ids)
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _short(data: object) -> str:
    return digest(data).removeprefix("sha256:")[:_DIGITS]

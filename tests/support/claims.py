"""Reads the claims out of what is told of a target, and holds each against the events.

A claim is a piece of a line in a known form. Whatever names a person, a generation, a time or an outcome, or says of a
model that it is live, has to be part of one: a sentence of a new form is not taken on trust, it fails until its form can
be read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from support.claimed_facts import false_facts, sentences_in
from support.truth import POINTERS, STATES, Truth, held, name_of, overriders, runs_of
from support.walk import MODELS, PEOPLE, Told

from flows.registry.records import Event

__all__ = ["false_claims"]

_PAGE_STATES = {"waits for a person": "waiting"}
_CHANGES = {
    "went live, the first": "first_release",
    "went live": "promotion",
    "was brought back": "rollback",
    "refused": "model_refused",
    "approved": "approve",
    "overridden": "override",
    "hold released": "release",
    "hold": "hold",
    "stands otherwise": "drift_found",
    "stands as recorded": "drift_over",
    "was put back as recorded": "put_back",
    "warned of": "warned",
    "canary chose its cases": "canary_chosen",
    "canary found a change": "canary_changed",
    "canary is steady": "canary_over",
}


P = "|".join(PEOPLE)
M = rf"[\w.:-]*\b(?:{'|'.join(MODELS)})\b"
G = r"\d+"
T = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?"
AGO = r"(?: UTC)?(?: \d+ (?:s|min) ago)?"
WHO = rf"(?:{P}|the gate|gatewright)"
DECIDED = rf"(?:(?P<how>approved|overridden) by )?(?:by )?(?P<who>{WHO}(?: and {WHO})*)(?:, requested by (?P<asked>{P}))?"
RUN = r"teams-[0-9a-f]{10}"
OUTCOME = r"PASS|FAIL|INCONCLUSIVE|ERROR"

MENTION = re.compile(
    rf"\b(?:{P})\b|\bgeneration:? {G}|#{G}\b|{T}|\b(?:is|stays|went|made|still|goes) live\b|[Aa]gainst (?:its|the) gate"
    rf"|\b(?:{OUTCOME}|PROMOTED|REFUSED|WAITING)\b|gate said|needs? attention"
)

Holds = Callable[[re.Match[str], Truth, Told], bool]


@dataclass(frozen=True)
class Claim:
    """A form, and whether what is said in it is so; `holds` None where nothing is claimed of this target."""

    form: re.Pattern[str]
    holds: Holds | None


CLAIMS: list[Claim] = []


def claim(form: str) -> Callable[[Holds], Holds]:
    def note(holds: Holds) -> Holds:
        CLAIMS.append(Claim(re.compile(form), holds))
        return holds

    return note


def same_time(event: Event | None, said: str) -> bool:
    """Whether an event is of the second, or the minute, that is said."""
    return event is not None and event.at.replace("T", " ").startswith(said.replace("T", " "))


def is_made_by(event: Event | None, found: re.Match[str], truth: Truth) -> bool:
    if event is None:
        return False
    how, people, asked = truth.decided(event)
    said = (found["how"] or "", found["who"].split(" and "), found["asked"] or "")
    return said == (how, people, asked)


def is_live(event: Event | None, model: str) -> bool:
    return event is not None and name_of(event.model_id) == name_of(model) != ""


# ---- what is live


@claim(rf"(?P<m>{M}) is live(?: \(generation (?P<g>{G})\))?(?! since)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    live = truth.live()
    same = found["g"] is None or (live is not None and live.generation == int(found["g"]))
    return same and is_live(live, found["m"])


@claim(
    rf"(?P<m>{M}) is live since (?P<t>{T}) UTC \(generation (?P<g>{G})\), as of (?P<now>{T}) UTC"
)
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    live = truth.live(found["now"].replace(" ", "T") + "~")  # later than all of that second
    assert live is not None
    return (
        is_live(live, found["m"])
        and same_time(live, found["t"])
        and live.generation == int(found["g"])
        and live == truth.live()
    )


@claim(rf"^[Ss]ince (?P<t>{T}){AGO} ?(?:, generation (?P<g>{G}))?$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    live = truth.live()
    same = found["g"] is None or (live is not None and live.generation == int(found["g"]))
    return same and same_time(live, found["t"])


@claim(rf"^(?:by|Decided by) {DECIDED}: ")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    live = truth.live()
    return live is not None and is_made_by(live, found, truth)


@claim(r"No target needs attention")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return not _needs_attention(truth)


@claim(r"teams needs attention")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return _needs_attention(truth)


def _needs_attention(truth: Truth) -> bool:
    waiting = any(truth.state(run).kind == "run_waiting" for run in runs_of(truth))
    drift = [one.kind for one in truth.of("drift_found", "drift_over", *POINTERS)][-1:]
    return bool(waiting or held(truth) or overriders(truth) or drift == ["drift_found"])


@claim(rf"[Oo]verridden by (?P<p>{P}) (?:on )?(?P<t>\d{{4}}-\d\d-\d\d(?: \d\d:\d\d)?)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return any(one.actor == found["p"] and same_time(one, found["t"]) for one in overriders(truth))


@claim(rf"against its gate, overridden by (?P<p>{P}) \([^)]*\) and (?P<q>{P}) \(")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return [one.actor for one in overriders(truth)] == [found["p"], found["q"]]


@claim(r"(?:[Ll]ive |override |^)?[Aa]gainst its gate(?=[.:]|$)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return bool(overriders(truth))


@claim(rf"; and by (?P<p>{P}): ")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    """Who held the target too, since the first one did."""
    return any(one.actor == found["p"] for one in truth.of("hold"))


@claim(rf"[Oo]n hold,? since (?P<t>[\d-]+(?: \d\d:\d\d(?::\d\d)?)?){AGO} by (?P<p>{P}):? ")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    hold = held(truth)
    return hold is not None and hold.actor == found["p"] and same_time(hold, found["t"])


@claim(rf"(?:seen|seen on) (?P<t>[\d-]+(?: \d\d:\d\d(?::\d\d)?)?){AGO} ?:")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return same_time(truth.of("drift_found")[-1], found["t"])


# ---- history


@claim(rf"^(?:#(?P<g>{G}) )?(?P<t>{T}) (?P<kind>\w+) (?:(?P<m>{M}) )?{DECIDED}$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return any(_is_row(one, found["kind"], found, truth) for one in truth.of(found["kind"]))


@claim(
    rf"^(?P<t>{T}){AGO} (?P<m>{M}|–)(?: generation (?P<g>{G}))?"
    rf" (?P<kind>{'|'.join(_CHANGES)}) {DECIDED} (?P<why>.*)$"
)
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    kind = _CHANGES[found["kind"]]
    return any(_is_row(one, kind, found, truth) for one in truth.of(kind))


def _is_row(event: Event, kind: str, found: re.Match[str], truth: Truth) -> bool:
    said = found["m"] if found["m"] not in (None, "–") else ""
    return (
        same_time(event, found["t"])
        and (str(event.generation) if event.generation is not None else None) == found["g"]
        and name_of(event.model_id) == name_of(said)
        and is_made_by(event, found, truth)
    )


# ---- runs


@claim(rf"^(?P<run>{RUN}) (?P<t>{T}) promotion (?P<state>\w+) (?P<m>{M})$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    run = found["run"]
    return truth.state(run).kind == f"run_{found['state']}" and truth.candidate(run) == found["m"]


@claim(
    rf"^(?P<run>{RUN}) promotion (?:teams )?(?P<m>{M}) \S (?P<o>{OUTCOME}) \S"
    rf" (?P<state>{'|'.join((*STATES, *_PAGE_STATES))}) (?P<detail>.*?) ?(?P<t>{T}){AGO}$"
)
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    run, state = found["run"], _PAGE_STATES.get(found["state"], found["state"])
    return (
        truth.state(run).kind == f"run_{state}"
        and truth.candidate(run) == found["m"]
        and truth.outcome(run) == found["o"]
    )


@claim(
    rf"went live as generation (?P<g>{G})(?:, live until (?P<t>{T}) UTC)?(?:, live again since (?P<again>{T}) UTC)?"
)
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    number, live = int(found["g"]), truth.live()
    own, after = truth.switched(number), truth.switched(number + 1)
    if own is None or own.kind not in ("promotion", "first_release") or live is None:
        return False
    again = live.at if live.facts()["restores"] == number else None
    return (
        (told.run_id in (None, own.run_id))
        and ((found["t"] is None) == (after is None))
        and (after is None or same_time(after, found["t"]))
        and ((found["again"] is None) == (again is None))
        and (again is None or same_time(live, found["again"]))
    )


# ---- one run


@claim(
    rf"(?P<word>PROMOTED|REFUSED|WAITING|FAILED)(?:, approved by (?P<p>{P}))?(?: for (?P<kind>approval|overrides))?(?P<against> against the gate)?"
)
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    assert told.run_id
    state = truth.state(told.run_id).kind.removeprefix("run_")
    approvers = [one.actor for one in truth.of("approve", run=told.run_id)]
    return (
        found["word"].lower() == state
        and bool(found["against"])
        == (state == "promoted" and bool(truth.of("override", run=told.run_id)))
        and (found["p"] is None or approvers == [found["p"]])
        and (found["p"] is not None or not (state == "promoted" and approvers))
        and found["kind"] == _WAITS_FOR.get((state, truth.outcome(told.run_id)))
    )


_WAITS_FOR = {("waiting", "INCONCLUSIVE"): "approval", ("waiting", "FAIL"): "overrides"}


@claim(rf"(?P<m>{M}) went live(?: instead of (?P<old>{M}))?(?=;)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    switched = truth.of("promotion", "first_release", run=told.run_id)
    return (
        len(switched) == 1
        and name_of(switched[0].model_id) == name_of(found["m"])
        and name_of(switched[0].from_model) == name_of(found["old"])
    )


@claim(rf"(?P<m>{M}) (?P<how>stay(?:s|ed) live|was made live meanwhile)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    assert told.run_id
    live, baseline = truth.live(truth.then(told.run_id)), truth.baseline(told.run_id)
    assert live is not None
    stayed = baseline is not None and baseline.model_id == live.model_id
    return is_live(live, found["m"]) and stayed == found["how"].startswith("stay")


@claim(rf"baseline:? (?P<m>{M}) \((?P<id>{M})\), live since (?P<t>{T}) UTC, generation (?P<g>{G})")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    baseline = truth.baseline(told.run_id or "")
    return (
        baseline is not None
        and (baseline.model_id, str(baseline.generation)) == (found["id"], found["g"])
        and name_of(found["m"]) == name_of(found["id"])
        and same_time(baseline, found["t"])
    )


@claim(rf"^Baseline (?P<id>{M}) , generation (?P<g>{G})$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    baseline = truth.baseline(told.run_id or "")
    return baseline is not None and (baseline.model_id, str(baseline.generation)) == (
        found["id"],
        found["g"],
    )


@claim(rf"against (?P<m>{M}), the [\w ]+ \(generation (?P<g>{G}), live since (?P<t>{T}) UTC\)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    event = truth.switched(int(found["g"]))
    return is_live(event, found["m"]) and same_time(event, found["t"])


@claim(rf"(?:(?<!, )requested by:?|Started by) (?P<p>{P})\b")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return truth.asked_by(told.run_id or "") == found["p"]


@claim(rf"time:? (?P<t>{T}) UTC(?: to (?P<end>{T}) UTC|, not finished)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    run = told.run_id or ""
    over = truth.then(run) != "9"
    return (
        same_time(truth.of("run_requested", run=run)[0], found["t"])
        and over == (found["end"] is not None)
        and (not over or same_time(truth.state(run), found["end"]))
    )


@claim(rf"^Started (?P<t>{T}){AGO}$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return same_time(truth.of("run_requested", run=told.run_id)[0], found["t"])


@claim(rf"^Changed (?P<t>{T}){AGO}$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    kinds = ("run_noted", *(f"run_{state}" for state in STATES))
    return same_time(truth.of(*kinds, run=told.run_id)[-1], found["t"])


@claim(rf"^Verdict \S (?P<o>{OUTCOME}) (?P<t>{T}){AGO}$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    verdict = truth.of("verdict", run=told.run_id)[-1]
    return truth.outcome(told.run_id or "") == found["o"] and same_time(verdict, found["t"])


@claim(rf"(?:Checks:|Checks verdict|[Tt]he developer verdict is|the gate said) (?P<o>{OUTCOME})\b")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    runs = [told.run_id] if told.run_id else runs_of(truth)
    return any(truth.outcome(run) == found["o"] for run in runs)


@claim(rf"(?:^|: |team\.accuracy max_drop 0\.1 )(?P<o>{OUTCOME}): (?P<why>.+)$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return any(
        one.facts()["outcome"] == found["o"] and found["why"] in one.reason
        for one in truth.of("verdict")
    )


@claim(rf"[Oo]pen until (?P<t>{T})(?:\.\d+Z)?(?: in \d+ \w+)?")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    """A day from the verdict on, as the gate has it."""
    ends = (
        datetime.fromisoformat(one.at) + timedelta(days=1)
        for one in truth.of("verdict", run=told.run_id)
    )
    return any(
        end.strftime("%Y-%m-%d %H:%M:%S").startswith(found["t"].replace("T", " ")) for end in ends
    )


@claim(rf"(?:by somebody else than (?P<p>{P})|(?P<q>{P}) asked for it and may not approve)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return truth.asked_by(told.run_id or "") == (found["p"] or found["q"])


@claim(rf"(?P<p>{P}) said: (?P<why>[^;]*?)(?:;|\.?$)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    said = truth.of("approve", "override", run=told.run_id)
    return (found["p"], found["why"]) in [(one.actor, one.reason) for one in said]


@claim(r"(?P<n>\d) (?:did|given) so far \((?P<who>[\w, ]+)\)")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    said = [one.actor for one in truth.of("approve", "override", run=told.run_id)]
    return said == found["who"].split(", ") and len(said) == int(found["n"])


@claim(rf", overridden by (?P<who>(?:{P})(?: and (?:{P}))*);")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    said = [one.actor for one in truth.of("override", run=told.run_id)]
    return said == found["who"].split(" and ")


@claim(rf"is held by (?P<p>{P}) since (?P<t>{T})")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    """The reason of a refusal, as things stood then."""
    return any(one.actor == found["p"] and same_time(one, found["t"]) for one in truth.of("hold"))


@claim(rf"applications read \S+ \(generation {G}\) from file \S+")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return any(
        found[0] in f"{one.reason} {one.data}" for one in truth.of("drift_found", "put_back")
    )


@claim(rf"^(?P<p>{P}) (?P<word>approved|rejected|overridden) (?P<why>.*) (?P<t>{T}){AGO}$")
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    kind = {"approved": "approve", "rejected": "reject", "overridden": "override"}[found["word"]]
    return any(
        (one.actor, one.reason) == (found["p"], found["why"]) and same_time(one, found["t"])
        for one in truth.of(kind, run=told.run_id)
    )


@claim(
    rf"^(?P<step>\w+) (?P<phase>begun|done|failed) (?P<t>{T})(?: UTC)?(?: generation:? (?P<g>{G}))?"
)
def _(found: re.Match[str], truth: Truth, told: Told) -> bool:
    return any(
        (one.facts()["step"], one.facts()["phase"]) == (found["step"], found["phase"])
        and same_time(one, found["t"])
        and (found["g"] is None or one.facts()["detail"]["generation"] == int(found["g"]))
        for one in truth.of("step", run=told.run_id)
    )


# ---- forms that claim nothing of who, when or what is live

for _form in (
    r"^acting as \w+$",
    r"What is live",
    rf"\S (?:{OUTCOME})(?= \||$| team\.)",  # one check; `Checks` has the verdict
    rf"team\.accuracy [\w .]+ \S (?:{OUTCOME}) ",
    r"in between it is INCONCLUSIVE",
    r"keep the verdict from being PASS",
    r"[Ll]ets? it go(?:es)? live(?: all the same)?(?: against the gate)?",
    r"The gate said no",
):
    CLAIMS.append(Claim(re.compile(_form), None))


def false_claims(told: Told, truth: Truth) -> Iterator[str]:
    """Yield a sentence for every claim that is not so, and for every mention that is no part of a known form."""
    lines = told.text.splitlines() if told.data is None else sentences_in(told.data)
    for line in lines:
        read: list[tuple[int, int]] = []
        for one in CLAIMS:
            for found in one.form.finditer(line):
                read.append(found.span())
                if one.holds is not None and not one.holds(found, truth, told):
                    yield f"{told.view}: not so: {found[0]!r} in {line!r}"
        for mention in MENTION.finditer(line):
            if not any(a <= mention.start() and mention.end() <= b for a, b in read):
                yield f"{told.view}: no form reads {mention[0]!r} in {line!r}"
    if told.data is not None:
        yield from false_facts(told, told.data, truth)

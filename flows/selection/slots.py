"""Room for the candidates of a field: as many developer slots at once as the platform gives, one after the other if it must.

How many fit is learned by trying: a platform that refuses the next slot while others of the field stand has no room for
it yet. What was learned is kept in the selection's folder, so that a later rung does not try in vain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from evals.errors import PlatformError
from evals.records import Record
from flows.deployments.identity import own_tags, slot_name
from flows.evaluation.progress import waits_shown
from flows.files import read_record, write_record
from flows.platforms.base import Connection
from flows.platforms.deadlines import Deadline
from flows.platforms.lifetimes import DEVELOPER_LIFE, EXPIRES_TAG
from flows.selection.open_selection import OpenSelection

__all__ = ["connection_of", "in_turns", "remove_slots", "room_again"]

_ROOM_FILE = "room.json"
_ROOM_RETURNS_S = 60.0
_LOOK_AGAIN_S = 1.0

Ask = Callable[[int, Connection], Awaitable[None]]


class _Room(Record, frozen=True, kw_only=True):
    """How many slots of the field stood when the next one was refused."""

    slots: int


async def in_turns(selection: OpenSelection, places: Sequence[int], ask: Ask) -> None:
    """Give each candidate a slot and have it asked; slots make room for those that wait, and stay up otherwise.

    Raises PlatformError when a slot is refused although no other of the field stands.
    """
    waiting = list(places)
    while waiting:
        standing = await _as_many_as_fit(selection, waiting)
        for place, connection in standing:
            await ask(place, connection)
        waiting = waiting[len(standing) :]
        if waiting:
            await remove_slots(selection, [place for place, _ in standing])


async def connection_of(selection: OpenSelection, place: int) -> Connection:
    """Connect to a candidate's slot, deploying it if it does not stand."""
    target, platform = selection.plan.target, selection.platform
    tags = {
        **own_tags(target.name, selection.run_id, "candidate"),
        EXPIRES_TAG: (datetime.now(UTC) + DEVELOPER_LIFE).isoformat(timespec="seconds"),
    }
    model = selection.field.candidates[place].model_id
    with waits_shown(selection.folder):
        deployment = await platform.deploy(
            slot_name(selection.record, place), model, target.developer, tags=tags
        )
        return await platform.wait_ready(deployment)


async def remove_slots(selection: OpenSelection, places: Sequence[int]) -> None:
    """Delete the slots of some candidates, all of them also where one can't be deleted; its error is raised at the end."""
    failure: PlatformError | None = None
    with waits_shown(selection.folder):
        for place in places:
            try:
                await selection.platform.delete(slot_name(selection.record, place))
            except PlatformError as error:
                failure = error
    if failure is not None:
        raise failure


async def room_again(selection: OpenSelection, place: int) -> None:
    """Wait, where room was scarce, until the platform has some for a candidate: it comes a while after a deletion.

    Not for ever: what still hinders then, the preflight of the run that judges the candidate says.
    """
    if not (selection.folder / _ROOM_FILE).exists():
        return
    target, candidate = selection.plan.target, selection.field.candidates[place]
    what = f"room for the slot of {candidate.model_id}"
    with waits_shown(selection.folder):
        async with Deadline(_ROOM_RETURNS_S, what) as deadline:
            while not deadline.passed:
                slots = (target.developer, target.production)
                found = await selection.platform.preflight(candidate, slots)
                missing = next((item for item in found if item.level == "fail"), None)
                if missing is None:
                    return
                if not await deadline.pause(_LOOK_AGAIN_S, f"{missing.name}: {missing.message}"):
                    return


async def _as_many_as_fit(
    selection: OpenSelection, places: Sequence[int]
) -> list[tuple[int, Connection]]:
    room = read_record(selection.folder / _ROOM_FILE, _Room)
    standing: list[tuple[int, Connection]] = []
    for place in places[: room.slots if room else None]:
        try:
            standing.append((place, await connection_of(selection, place)))
        except PlatformError as error:
            if not _refused(error):
                raise
            if standing:
                write_record(selection.folder / _ROOM_FILE, _Room(slots=len(standing)))
                break
            # What stands is of an earlier turn: once it is gone, the refusal counts.
            others = [other for other in range(len(selection.field.candidates)) if other != place]
            await remove_slots(selection, others)
            standing.append((place, await connection_of(selection, place)))
    return standing


def _refused(error: PlatformError) -> bool:
    """Whether the platform said no, rather than break."""
    return error.status is not None and 400 <= error.status < 500

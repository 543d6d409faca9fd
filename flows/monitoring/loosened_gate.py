"""Whether what is live is held to a looser gate than before: an edit can make "worse" a "changed" with no better model behind it."""

from __future__ import annotations

from collections.abc import Iterator

from flows.evaluation.open_run import OpenRun
from flows.evaluation.tries.judged_by import edits_since
from flows.registry.provenance import origin

__all__ = ["loosened_since"]


def loosened_since(run: OpenRun, model: str) -> tuple[str, ...]:
    """Return how a run's gate is looser than that of the model's promotion and of its last regression run, a sentence each.

    Where the model was not promoted by a run, its first regression run stands in.
    """
    found: dict[str, str] = {}
    for before in dict.fromkeys(_before(run, model)):
        edits = [one for one in edits_since(run, before) if one.of == "gate"]
        told = ", ".join(f"{one.field} {one.change}" for one in edits)
        if told:
            found.setdefault(told, before)
    return tuple(
        f"the gate is looser than in run {before}: {told}" for told, before in found.items()
    )


def _before(run: OpenRun, model: str) -> Iterator[str]:
    mine = run.record
    earlier = sorted(
        (one.created_at, one.run_id)
        for one in run.registry.regressions_of(mine.target, model)
        if (one.created_at, one.run_id) < (mine.created_at, mine.run_id)
        and run.registry.verdict(one.run_id) is not None
    )
    pointer = run.registry.find(mine.target, model)
    promoted = origin(run.registry, pointer).run_id if pointer is not None else None
    if promoted:
        yield promoted
    elif earlier:
        yield earlier[0][1]
    if earlier:
        yield earlier[-1][1]

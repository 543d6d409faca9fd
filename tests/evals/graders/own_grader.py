"""A team's own graders, as docs/graders.md shows them."""

from __future__ import annotations

from evals.records import Case, Response


def at_most(case: Case, response: Response, *, words: int) -> tuple[bool, str]:
    """1 when the answer has at most so many words."""
    count = len((response.text or "").split())
    return count <= words, f"{count} words"


async def slowly(case: Case, response: Response) -> float:
    """An async grader."""
    return 0.25


def broken(case: Case, response: Response) -> float:
    """A grader that crashes."""
    return 1 / 0


def too_much(case: Case, response: Response) -> float:
    """A grader that leaves the range."""
    return 1.5

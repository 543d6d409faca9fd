"""What a publisher is: it writes the live pointer where applications read it, and reads it back from there."""

from __future__ import annotations

from typing import Protocol

from evals.errors import Problem
from evals.records import LivePointer, Record

__all__ = ["Published", "Publisher"]


class Publisher(Protocol):
    """Writes the pointer of one target to one place. Writing the same pointer again changes nothing."""

    @property
    def name(self) -> str:
        """Kind and place, as a person would recognise them: 'file live/support-triage.json'."""
        ...

    @property
    def reads_back(self) -> bool:
        """False when the place can't be read; its own acknowledgement then has to do."""
        ...

    def problems(self) -> tuple[Problem, ...]:
        """Return what is missing to publish (an address, a credential), without publishing."""
        ...

    async def publish(self, pointer: LivePointer) -> None:
        """Write the pointer. Raises PublishError."""
        ...

    async def read_back(self) -> LivePointer | None:
        """Return what an application reads now, None when it reads nothing. Raises PublishError."""
        ...

    async def withdraw(self) -> None:
        """Take the pointer away, so that applications read that nothing is live. Raises PublishError."""
        ...


class Published(Record, frozen=True, kw_only=True):
    """How writing to one place went. `lag_s` is the time from the switch to the moment it was read back, in seconds.

    `problem` is None when all is well.
    """

    publisher: str
    attempts: int
    lag_s: float | None
    problem: str | None = None

    @property
    def words(self) -> str:
        """What came of it, for the record and for people."""
        if self.problem is not None:
            return self.problem
        text = (
            "taken away" if self.lag_s is None else f"published {self.lag_s:.2f} s after the switch"
        )
        return text if self.attempts == 1 else f"{text}, at try {self.attempts}"

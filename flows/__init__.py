"""Moves models: from a finished fine-tune to the live model, and back.

In: triggers, target files, verdicts of `evals`. Out: what is live, on record and where applications read it. Begin with
`promotion`, the whole way of a candidate as one Prefect flow; `tasks` are its steps, `release` makes a model live,
`registry` remembers, `platforms` hosts. Every room imports only those below it (the contracts in pyproject.toml).
"""

from __future__ import annotations

__all__: list[str] = []

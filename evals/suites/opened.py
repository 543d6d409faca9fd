"""Opening a suite: read it, build its graders, hold the cases against them; everything wrong is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.cases.suite_file import Suite, read_suite
from evals.config.documents import raise_problems
from evals.errors import Problem
from evals.graders.base import Grader
from evals.graders.table import applicability, assemble, case_problems, fingerprint
from evals.suites.human_labels import HumanLabels, read_human_labels

__all__ = ["OpenedSuite", "open_suite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSuite:
    """A suite that is ready to be asked and graded.

    `fingerprint` says what its results may be compared with. `applicable` has a byte a case, 0 or 1, for every column of
    scores that is not about every case. `people` holds what people said of answers that a judge judged, by grader.
    """

    suite: Suite
    graders: tuple[Grader, ...]
    fingerprint: str
    applicable: Mapping[str, bytes] = field(default_factory=dict)
    people: Mapping[str, HumanLabels] = field(default_factory=dict)


def open_suite(folder: Path | str, model_client: Any = None) -> OpenedSuite:
    """Read a suite's folder and make its graders. `model_client` asks judge models; see `evals.graders.model_client`.

    Raises:
        ConfigurationError: with every problem of suite.yaml, of the cases, and of what the graders miss in them.
    """
    problems: list[Problem] = []
    suite = read_suite(Path(folder), problems)
    graders = assemble(suite, problems, model_client)
    problems.extend(case_problems(suite, graders))
    people = read_human_labels(suite, graders, problems)
    raise_problems(problems)
    return OpenedSuite(
        suite=suite,
        graders=graders,
        fingerprint=fingerprint(suite, graders),
        applicable=applicability(suite, graders),
        people=people,
    )

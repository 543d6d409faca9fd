"""The answers of a regression run: cases are compared with them once that run found the changed model no worse."""

from __future__ import annotations

from collections.abc import Sequence

from evals.evaluation.answer_forms import AnswerForms, answer_forms
from evals.evaluation.kept_answers import deployment_marks
from evals.sampling.journal.journal import Journal
from flows.monitoring.canary.live_model import AskedCase, Key, LiveModel
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["in_run"]


def in_run(
    settings: Settings,
    registry: Registry,
    live: LiveModel,
    run_id: str,
    cases: Sequence[AskedCase],
) -> tuple[dict[Key, list[AnswerForms]], frozenset[str]] | None:
    """Return what a run was answered to some cases, and the marks given with it; None where that is not on this machine.

    Answers to suites that were changed since are left out. Raises InfrastructureError when the journal is damaged.
    """
    record, folder = registry.run(run_id), settings.run_folder(run_id) / "journal"
    if record is None or not folder.is_dir():
        return None
    wanted = {one.key: one for one in cases}
    found: dict[Key, list[AnswerForms]] = {}
    marks: set[str] = set()
    with Journal.open(folder, read_only=True) as journal:
        for opened in {one.opened.suite.name: one.opened for one in cases}.values():
            name = opened.suite.name
            if record.fingerprints.get(name) != opened.fingerprint:
                continue
            for entry in journal.entries("candidate", name):
                marks.update(deployment_marks(entry, live.own_names()))
                one = wanted.get((name, entry.response.case_id))
                forms = answer_forms(opened, one.case, entry.response) if one is not None else None
                if forms is not None:
                    found.setdefault((name, entry.response.case_id), []).append(forms)
    return found, frozenset(marks)

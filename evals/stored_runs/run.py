"""Opens the folder of a run: its tables when they are first asked for, and its answers to be judged again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from evals.config.documents import shown_path
from evals.errors import ConfigurationError, Problem, nearest
from evals.evaluation.evaluation import Evaluation
from evals.evaluation.rejudge import rejudge_stored
from evals.evaluation.sampling_plan import SAMPLING_PLAN_FILE, read_sampling_plan
from evals.evaluation.score_store import ScoreStore
from evals.files.versions import read_stored, require_format
from evals.gate.look_store import LookStore
from evals.gate.policy import GatePolicy, load_policy
from evals.gate.tries.rule import with_tries
from evals.gate.validation import validate_policy
from evals.records import Price, Role, Verdict
from evals.sampling.journal.journal import Journal
from evals.stored_runs import tables
from evals.suites.opened import open_suite
from evals.suites.part import without

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StoredRun", "judge", "load_run"]


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """One run as its folder keeps it; made by `load_run`.

    `evaluation` holds its suites, roles and rounds; `verdict` is None while the run has not been judged. Each table is
    read once, when first asked for, has an index from 0, and keeps the dtypes named here also when it is empty: text is
    `string`, the rest `category` unless a dtype is given. Tables fit together by (suite, case_id) and (role, suite,
    case_id, repeat).
    """

    folder: Path
    evaluation: Evaluation = field(repr=False)
    verdict: Verdict | None = field(repr=False)

    @property
    def run_id(self) -> str:
        """The id of the run, which is the name of its folder."""
        return self.folder.name

    @cached_property
    def cases(self) -> pd.DataFrame:
        """A row for each case of each suite, asked or not, in the suite's order.

        Columns: `suite`; text: `case_id`, `prompt` (the messages, "role: content" each), `expected` (JSON where it is
        no text), `cluster`; float64: `weight`; for every tag `tag.<name>`, missing where a case does not have it.
        """
        return tables.case_table(self.evaluation)

    @cached_property
    def answers(self) -> pd.DataFrame:
        """A row for each answer, one for each (role, suite, case_id, repeat), in the order in which they came.

        Columns: `role`, `suite`, `model_id`, `outcome` (see `evals.records.Outcome`), `finish_reason`; text: `case_id`,
        `text`, `tool_calls` (JSON), `error`; int32: `repeat` (from 0), `attempts`; Int64: `prompt_tokens`,
        `completion_tokens`; float64: `latency_ms`, in milliseconds; bool: `reused`, taken over from an earlier run.
        """
        return tables.answer_table(self.evaluation)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row for each score, one for each (role, suite, case_id, repeat, grader).

        Columns: `role`, `suite`, `grader`, `version`, `predicted`, `truth` (of graders that yield labels); text:
        `case_id`, `reason`; int32: `repeat`; float64: `value`, in [0, 1], NaN where the answer is unscored.
        """
        return tables.score_table(self.evaluation)

    @cached_property
    def checks(self) -> pd.DataFrame:
        """A row for each check of the verdict, in the gate's order; no rows while there is no verdict.

        Columns: `kind`, `outcome`; text: `check`, `metric`, `suite` (missing for a check over all suites), `slice`
        ("tag=value, …", "" for all cases), `method`, `reason`; bool: `decides`; int64: `n`; float64: `threshold`, the
        metric of `candidate` and `baseline`, and `estimate`, `lower`, `upper`, `confidence` of the quantity that is
        compared with the threshold (see `evals.records.CheckResult`).
        """
        return tables.check_table(self.verdict.checks if self.verdict else ())

    @cached_property
    def looks(self) -> pd.DataFrame:
        """A row for each check at each interim look that was made.

        Columns: int32: `look` (from 1); bool: `decided` (the result stands from then on), `futile` (given up),
        `counted` (alpha was spent); and those of `checks`.
        """
        return tables.look_table(LookStore(self.folder).events())


def load_run(folder: Path | str, suites: Path | str = "datasets") -> StoredRun:
    """Open the folder of a run, such as ".gatewright/runs/<run id>"; `suites` is the folder that holds its suites.

    Raises:
        ConfigurationError: there is no such folder, it is no run's or of one that has asked nothing yet, or one of its
            suites is missing, has problems, or was changed since the answers were scored.
        OtherVersionError: the folder was written by a version that this one does not read.
    """
    folder = Path(folder).resolve()
    require_format(folder)
    plan = read_sampling_plan(folder)
    if plan is None:
        raise ConfigurationError(_no_run(folder))
    with Journal.open(folder / "journal", read_only=True) as journal:
        asked = {role for role, _ in journal.names()}
    evaluation = Evaluation(
        run_id=folder.name,
        folder=folder,
        suites=tuple(
            without(open_suite(Path(suites) / name), plan.left_out.get(name, ()))
            for name in plan.repeats
        ),
        roles=("candidate", "baseline") if "baseline" in asked else ("candidate",),
        repeats=plan.repeats,
        looks=plan.looks,
        strata=plan.strata,
        needs=LookStore(folder).needs(),
    )
    if changed := list(_changed_suites(evaluation)):
        raise ConfigurationError(changed)
    verdict = folder / "verdict.json"
    return StoredRun(
        folder=folder,
        evaluation=evaluation,
        verdict=read_stored(verdict, Verdict) if verdict.is_file() else None,
    )


def judge(
    policy: GatePolicy | Path | str,
    run: StoredRun,
    *,
    prices: Mapping[Role, Price] | None = None,
    release: bool = True,
) -> Verdict:
    """Judge the stored answers of a run by a gate (a policy, or its file). Nothing is asked and nothing is stored.

    The run's own gate gives the run's own verdict. Where a run stopped early and another gate needs more answers than
    there are, a check is INCONCLUSIVE. So are checks against an anchor: kept answers of earlier models are no part of a
    run's folder (`gatewright gate RUN` reads them).

    Args:
        policy: the gate.
        run: the run.
        prices: what each role's tokens cost. Without them the cost is unknown, and a check on it never passes.
        release: False for a regression run: what is live already needs no baseline.

    Raises:
        ConfigurationError: the file has problems, or the gate does not fit the run's suites.
    """
    gate = policy if isinstance(policy, GatePolicy) else load_policy(Path(policy))
    validate_policy(gate, run.evaluation.suites)
    models = {
        role: (_model_id(run.evaluation, role), (prices or {}).get(role))
        for role in run.evaluation.roles
    }
    verdict = rejudge_stored(run.evaluation, gate, models, release=release)
    tries = run.verdict.tries if run.verdict is not None else None
    return with_tries(verdict, tries) if tries is not None else verdict


def _model_id(evaluation: Evaluation, role: Role) -> str:
    for opened in evaluation.suites:
        for response in evaluation.responses(role, opened.suite.name):
            return response.model_id
    return ""


def _no_run(folder: Path) -> Problem:
    if folder.is_dir():
        message = f"expected the folder of a run; found no {SAMPLING_PLAN_FILE} in it"
        fix: str | None = "give <home>/runs/<run id> of a run that has begun to ask its cases"
    else:
        known = [path.parent.name for path in folder.parent.glob(f"*/{SAMPLING_PLAN_FILE}")]
        message, fix = "expected the folder of a run; found none", nearest(folder.name, known)
    return Problem(where=shown_path(folder), message=message, fix=fix)


def _changed_suites(evaluation: Evaluation) -> Iterator[Problem]:
    """Suites with scores of this run that belong to other cases or graders than the suite has now."""
    for opened in evaluation.suites:
        for role in evaluation.roles:
            current = ScoreStore(evaluation.folder, role, opened).path
            of_any_version = f"{role}-{opened.suite.name}-{'[0-9a-f]' * 12}.jsonl"
            if not current.exists() and any(current.parent.glob(of_any_version)):
                yield Problem(
                    where=shown_path(opened.suite.folder),
                    message=f"the suite was changed since the {role}'s answers were scored",
                    fix="give a folder with the suite as it was then",
                )

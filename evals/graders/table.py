"""Graders: one family a file, and the table from the type a suite names to its class.

A class is named by its address and imported when a suite asks for it, because some families need libraries that take
a second to import. A type that is not in the table is looked up among the plug-ins (`gatewright.graders`).
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any, cast

from evals.cases.reader import FEW
from evals.cases.suite_file import GraderSpec, Suite
from evals.config.documents import raise_problems, shown_path
from evals.config.plugins import load_plugin, plugin_names
from evals.errors import ConfigurationError, Problem, nearest
from evals.graders.base import (
    CaseProblem,
    Context,
    Grader,
    GraderBase,
    ParameterError,
)
from evals.graders.options import problem_of, read_parameters
from evals.records import digest

__all__ = [
    "GRADERS",
    "applicability",
    "assemble",
    "build",
    "case_problems",
    "fingerprint",
    "graders_digest",
]

GRADERS: dict[str, str] = {
    "contains": "evals.graders.texts:ContainsGrader",
    "custom": "evals.graders.custom:CustomGrader",
    "embedding_similarity": "evals.graders.openai.texts:EmbeddingSimilarityGrader",
    "exact": "evals.graders.texts:ExactGrader",
    "fields": "evals.graders.json_output:FieldsGrader",
    "json_schema": "evals.graders.json_output:JsonSchemaGrader",
    "judge": "evals.graders.judges.llm_judge:JudgeGrader",
    "label": "evals.graders.labels:LabelGrader",
    "label_model": "evals.graders.openai.model_graders:LabelModelGrader",
    "multi": "evals.graders.openai.multi:MultiGrader",
    "multi_label": "evals.graders.multi_label:MultiLabelGrader",
    "numeric": "evals.graders.numbers:NumericGrader",
    "over_refusal": "evals.graders.refusals:OverRefusalGrader",
    "pairwise_judge": "evals.graders.judges.pairwise:PairwiseJudgeGrader",
    "pii": "evals.graders.pii:PiiGrader",
    "python": "evals.graders.openai.python:PythonGrader",
    "refusal": "evals.graders.refusals:RefusalGrader",
    "regex": "evals.graders.texts:RegexGrader",
    "score_model": "evals.graders.openai.model_graders:ScoreModelGrader",
    "string_check": "evals.graders.openai.texts:StringCheckGrader",
    "text_similarity": "evals.graders.openai.texts:TextSimilarityGrader",
}
"""The type a suite names -> "module:class" of its grader."""


def build(suite: Suite, model_client: Any = None) -> tuple[Grader, ...]:
    """Make the suite's graders, in its order. `model_client` asks judge models; see `evals.graders.model_client`.

    Raises:
        ConfigurationError: with everything wrong in the graders' options.
    """
    problems: list[Problem] = []
    built = assemble(suite, problems, model_client)
    raise_problems(problems)
    return built


def assemble(suite: Suite, problems: list[Problem], model_client: Any = None) -> tuple[Grader, ...]:
    """Make the graders that can be made, and add to `problems` what is wrong with the others."""
    context = Context(suite=suite, model_client=model_client)
    built = [_build(spec, context, problems) for spec in suite.graders]
    graders = tuple(grader for grader in built if grader is not None)
    problems.extend(_shared_columns(suite, graders))
    return graders


def case_problems(suite: Suite, graders: tuple[Grader, ...]) -> list[Problem]:
    """Return what the graders miss in the suite's cases: empty expected answers, labels nobody declared.

    What every single case lacks is the grader's mistake, and said once.
    """
    found: dict[CaseProblem, tuple[Grader, list[str]]] = {}
    for case in suite.cases:
        for grader in graders:
            for problem in dict.fromkeys(grader.check(case)):
                _, ids = found.setdefault(problem, (grader, []))
                if not ids or ids[-1] != case.id:
                    ids.append(case.id)
    return [
        problem
        for missed, (grader, ids) in found.items()
        for problem in (
            [_of_grader(suite, grader, missed, len(ids))]
            if len(ids) == len(suite.cases) > FEW
            else [_of_case(suite, missed, case_id) for case_id in ids]
        )
    ]


def _of_case(suite: Suite, found: CaseProblem, case_id: str) -> Problem:
    return Problem(
        where=shown_path(suite.case_file),
        line=suite.cases.line(case_id),
        field=found.field,
        message=f"case '{case_id}': {_whose(found)}{found.message}",
        fix=found.fix,
    )


def _of_grader(suite: Suite, grader: Grader, found: CaseProblem, cases: int) -> Problem:
    spec = next(spec for spec in suite.graders if spec.name == grader.name)
    whose = _whose(found) if found.grader != grader.name else ""
    return problem_of(
        spec,
        shown_path(suite.folder / "suite.yaml"),
        ParameterError(
            f"none of {cases} cases will do, {found.field}: {whose}{found.message}", fix=found.fix
        ),
    )


def _whose(found: CaseProblem) -> str:
    return f"grader '{found.grader}': " if found.grader else ""


def applicability(suite: Suite, graders: tuple[Grader, ...]) -> dict[str, bytes]:
    """Return for every column that is not about every case a byte a case: 1 where it is about it, 0 where not."""
    chosen = [
        (grader, column.name)
        for grader in graders
        if getattr(type(grader), "applies", None) is not GraderBase.applies
        for column in grader.columns()
    ]
    masks = {name: bytearray() for _, name in chosen}
    for case in suite.cases if chosen else ():
        for grader, name in chosen:
            masks[name].append(grader.applies(name, case))
    return {name: bytes(mask) for name, mask in masks.items() if 0 in mask}


def fingerprint(suite: Suite, graders: tuple[Grader, ...]) -> str:
    """Digest of all that must be equal for two models' results to be comparable: cases, graders, their versions."""
    return digest({"content": suite.content_digest, "graders": _identities(suite, graders)})


def graders_digest(suite: Suite, graders: tuple[Grader, ...]) -> str:
    """Digest of all that decides the score of an answer to a case: the graders with their options and versions."""
    return digest(_identities(suite, graders))


def _identities(suite: Suite, graders: tuple[Grader, ...]) -> dict[str, Any]:
    return {
        spec.name: {
            "type": spec.type,
            "version": grader.version,
            "params": dict(spec.params),
            "identity": dict(grader.identity),
        }
        for spec, grader in zip(suite.graders, graders, strict=True)
    }


def _build(spec: GraderSpec, context: Context, problems: list[Problem]) -> Grader | None:
    where = shown_path(context.suite.folder / "suite.yaml")
    try:
        kind = grader_class(spec.type)
    except ConfigurationError as error:
        problems.extend(_of_type(spec, where, one.message, one.fix) for one in error.problems)
        return None
    if kind is None:
        known = sorted({*GRADERS, *plugin_names("gatewright.graders")})
        problems.append(
            _of_type(spec, where, f"unknown type '{spec.type}'", nearest(spec.type, known))
        )
        return None
    options, errors = read_parameters(spec, kind.Options)
    if not errors:
        try:
            return cast("Grader", kind(spec.name, options, context))
        except ParameterError as error:
            errors = [error]
        except ConfigurationError as error:
            problems.extend(error.problems)
    problems.extend(problem_of(spec, where, error) for error in errors)
    return None


def _of_type(spec: GraderSpec, where: str, message: str, fix: str | None) -> Problem:
    return Problem(
        where=where,
        line=spec.line,
        field=f"{spec.field}.type",
        message=f"grader '{spec.name}': {message}",
        fix=fix,
    )


def grader_class(kind: str) -> type[GraderBase] | None:
    """Import the class of a grader's type; None when there is none, neither built in nor registered.

    Raises:
        ConfigurationError: the plug-in of that name is broken.
    """
    if kind in GRADERS:
        return cast("type[GraderBase]", resolve_name(GRADERS[kind]))
    return load_plugin(
        "gatewright.graders",
        kind,
        expected="a class derived from evals.graders.base.GraderBase",
        fits=lambda found: isinstance(found, type) and issubclass(found, GraderBase),
    )


def _shared_columns(suite: Suite, graders: tuple[Grader, ...]) -> list[Problem]:
    """Two graders may not yield one name: which of them a check meant could not be told."""
    owners: dict[str, str] = {}
    problems = []
    for grader in graders:
        for name in (*(column.name for column in grader.columns()), *grader.metrics()):
            owner = owners.setdefault(name, grader.name)
            if owner != grader.name:
                problems.append(
                    Problem(
                        where=shown_path(suite.folder / "suite.yaml"),
                        field="graders",
                        message=f"graders '{owner}' and '{grader.name}' both yield '{name}'",
                        fix="rename one of them",
                    )
                )
    return problems

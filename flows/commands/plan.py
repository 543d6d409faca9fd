"""Commands about the gate itself: plan a run before money is spent, judge stored answers again, let the gate measure itself."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from evals.errors import ConfigurationError, Problem
from flows.commands.candidate_options import AGAINST
from flows.commands.output import EXIT_OF_VERDICT, JSON_OPTION, console, emit, exit_with
from flows.settings import Settings, load_settings

if TYPE_CHECKING:
    from evals.records import Verdict

__all__ = ["register"]


POLICY = typer.Option(
    None, "--policy", help="Gate file to judge by; the run's own gate when left out."
)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: gatewright plan support-triage --discordance 0.1")(plan)
    app.command(
        epilog="Example: gatewright gate support-triage-1f0c9a77aa --policy stricter.gate.yaml"
    )(gate)


def plan(
    target: str = typer.Argument(..., help="The target."),
    discordance: float | None = typer.Option(
        None,
        "--discordance",
        help="Share of the cases on which the two models are expected to differ, in (0, 1]; that of the last run when left out.",
    ),
    several: bool = typer.Option(
        False,
        "--one-of-several",
        help="For a candidate chosen of several, judged on the cases that don't choose.",
    ),
    loss: str | None = typer.Option(
        None,
        "--loss",
        help="Share of the answers that is expected to be lost, such as 0.5%; that of the last run when left out.",
    ),
    against: str = AGAINST,
    as_json: bool = JSON_OPTION,
) -> None:
    """Say before money is spent what the suites can resolve, and what a run is likely to come to and to cost."""
    from flows.evaluation.plan import plan_target
    from flows.selection.request import choosing_cases

    if discordance is not None and not 0 < discordance <= 1:
        raise ConfigurationError(
            Problem(
                where="--discordance", message=f"expected a share in (0, 1]; found {discordance:g}"
            )
        )
    settings = load_settings()
    left_out = choosing_cases(settings, target) if several else None
    found = plan_target(
        settings,
        target,
        differing=discordance,
        lost=_share(loss),
        left_out=left_out,
        against=against,
    )
    if as_json:
        emit(found)
        return
    from evals.report.plan_view import plan_view

    console().print(plan_view(found))


def _share(stated: str | None) -> float | None:
    """Read a share: 0.005, or 0.5%."""
    if stated is None:
        return None
    with suppress(ValueError):
        share = float(stated.removesuffix("%")) / (100 if stated.endswith("%") else 1)
        if 0 <= share < 1:
            return share
    raise ConfigurationError(
        Problem(where="--loss", message=f"expected a share such as 0.5% or 0.005; found {stated!r}")
    )


def gate(
    run_id: str | None = typer.Argument(
        None, help="A judged run, as `gatewright runs` lists them."
    ),
    policy: Path | None = POLICY,
    against: str = AGAINST,
    against_itself: bool = typer.Option(
        False, "--against-itself", help="Judge the candidate against itself, repeat against repeat."
    ),
    self_test: bool = typer.Option(
        False,
        "--self-test",
        help="Simulate the gate's error rates beside those of averages (no run needed).",
    ),
    replicates: int = typer.Option(250, "--replicates", min=20, help="Simulated runs a rate."),
    seed: int = typer.Option(1, "--seed", help="Seed of the simulations."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Judge stored answers again, at no cost: nothing is asked, nothing is stored. Or let the gate measure itself."""
    if self_test:
        _self_test(replicates, seed, as_json)
        return
    if run_id is None:
        raise ConfigurationError(
            Problem(where="arguments", message="expected a run, or --self-test; found neither")
        )
    if against_itself:
        _against_itself(load_settings(), run_id, as_json)
        return
    from flows.evaluation.rejudge import rejudge

    verdict = rejudge(load_settings(), run_id, policy, against)
    if as_json:
        emit(verdict)
    else:
        _show(load_settings(), run_id, verdict)
    exit_with(EXIT_OF_VERDICT[verdict.outcome])


def _show(settings: Settings, run_id: str, verdict: Verdict) -> None:
    from evals.report.formats.terminal import verdict_renderable
    from evals.report.view import build_view
    from flows.evaluation.open_run import open_run
    from flows.reporting.gather import gather

    with open_run(settings, run_id) as run:
        facts = msgspec.structs.replace(
            gather(run),
            kind="evaluation",
            state=None,
            verdict=verdict,
            production_verdict=None,
            gate_path=verdict.policy,
        )
    console().print(verdict_renderable(build_view(facts)))


def _against_itself(settings: Settings, run_id: str, as_json: bool) -> None:
    from flows.evaluation.rejudge import judge_against_itself

    try:
        found = judge_against_itself(settings, run_id)
    except ValueError as error:
        raise ConfigurationError(
            Problem(
                where=run_id,
                message=str(error),
                fix="set the suite's repeats, or the target's sampling.repeats, to 2 or more",
            )
        ) from error
    if as_json:
        emit(found)
        return
    screen = console()
    verdicts = ", ".join(f"{count} {name}" for name, count in sorted(found.verdicts.items()))
    screen.print(
        f"{found.model_id} against itself, {found.pairs} pairs of {found.repeats} repeats: {verdicts}"
    )
    screen.print(f"false FAILs: {found.false_fails} of {found.checks} relative checks")
    for column, share in sorted(found.flips.items()):
        screen.print(f"  {column}: {share:.2%} of the scores differ between two repeats")


def _self_test(replicates: int, seed: int, as_json: bool) -> None:
    from evals.selftest.simulation import self_test as measure

    screen = console(stderr=True)
    with screen.status("simulating") as status:
        found = measure(
            replicates=replicates, seed=seed, progress=lambda words: status.update(words)
        )
    if as_json:
        emit(found)
    else:
        from evals.report.selftest_view import selftest_view

        console().print(selftest_view(found))
    exit_with(1 if found.missed else 0)

"""Peak memory of a whole run, stage by stage: a suite on disk, two models asked on loopback, graded, judged, reported.

    python tests/bench/memory_bench.py --cases 10000,100000
    python tests/bench/memory_bench.py --cases 1000000 --asked-before

Every stage is a process of its own, as a flow's steps may be, and says its peak resident memory and how long it took.
`open` reads and checks the suite and its gate, as every stage does before its own work. With `--asked-before` the
journals of both models are written through the journal, as if an earlier process had asked everything, and `ask` finds
nothing left to do. The last column is what a case adds to the peak over a run of 1,000 cases.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMALL = 1_000
MODELS = {"candidate": "gpt-4.1-mini-2025-04-14.ft-5d1e0c9a7b2f4c0f9e3a6d8b1c2e4f70", "baseline": "gpt-4.1-mini-2025-04-14"}  # fmt: skip
WORDS = ("order", "refund", "invoice", "parcel", "card", "charged", "twice", "login", "address")
GATE = """
version: 1
name: bulk
first_release: absolute_checks
training_overlap: {exact: report}
early_stop: false
checks:
  - {metric: right, at_least: 0.5, max_drop: 0.02, slices: [{where: {plan: enterprise}, max_drop: 0.05}]}
  - {metric: mentions, max_drop: 0.02}
  - {metric: latency_p95_ms, max_rise: 50%}
  - {metric: cost_usd_per_1k, max_rise: 20%}
on_inconclusive: fail
"""
TARGET = """
version: 1
name: bulk
platform: embedded
embedded: {prices: {PRICES}}
suites: [bulk]
gate: bulk
sampling: {temperature: 0, max_completion_tokens: 60, concurrency: 64}
"""
SUITE = {
    "version": 1,
    "name": "bulk",
    "prompt": [
        {"role": "system", "content": "Repeat what the customer said. " * 20},
        {"role": "user", "content": "{{ item.text }}"},
    ],
    "graders": [
        {"name": "right", "type": "exact"},
        {"name": "mentions", "type": "contains", "text": "number"},
    ],
    "tags": ["plan", "language"],
}


def main() -> int:
    options = parse()
    if options.stage:
        began, folder = time.perf_counter(), Path(options.folder)
        asyncio.run(STAGES[options.stage](folder, options))
        print(json.dumps({"s": time.perf_counter() - began, "mib": peak_mib()}))
        return 0
    os.environ["GATEWRIGHT_EMBEDDED_URL"] = (
        "http://127.0.0.1:9"  # prices only, nothing is asked of it
    )
    print(f"{'cases':>10} {'stage':10} {'peak MiB':>9} {'seconds':>9} {'bytes a case':>13}")
    small = measured(SMALL, options, show=False)
    for cases in options.cases:
        measured(cases, options, show=True, small=small)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", default="10000", help="sizes of the suite, with commas between")
    parser.add_argument(
        "--asked-before", action="store_true", help="write the journals instead of asking"
    )
    parser.add_argument("--clusters", type=int, default=0, help="cases a customer; 0 for none")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--where", type=Path, default=None, help="folder for the files of the run")
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.cases = [int(size) for size in options.cases.split(",")]
    return options


def measured(
    cases: int, options: argparse.Namespace, *, show: bool, small: dict[str, float] | None = None
) -> dict[str, float]:
    """Run all stages on a suite of this size; return the peak of each in MiB."""
    peaks = {}
    with tempfile.TemporaryDirectory(prefix="gatewright-bench-", dir=options.where) as name:
        write_project(Path(name), cases, options.clusters)
        server, url = start_server(options)
        try:
            for stage in STAGES:
                found = run_stage(stage, Path(name), cases, url, options)
                peaks[stage] = found["mib"]
                if show and small:
                    each = (found["mib"] - small[stage]) * (1 << 20) / max(1, cases - SMALL)
                    print(
                        f"{cases:>10,} {stage:10} {found['mib']:>9.0f} {found['s']:>9.1f} {each:>13.0f}",
                        flush=True,
                    )
        finally:
            server.terminate()
            server.wait()
        if show:
            sizes = {part: size_mib(Path(name) / part) for part in ("datasets", "home")}
            print(
                f"{cases:>10,} on disk: suite {sizes['datasets']:,.0f} MiB, run {sizes['home']:,.0f} MiB"
            )
    return peaks


def run_stage(
    stage: str, folder: Path, cases: int, url: str, options: argparse.Namespace
) -> dict[str, float]:
    command = [sys.executable, __file__, "--stage", stage, "--folder", str(folder), "--url", url]
    command += ["--cases", str(cases), *(["--asked-before"] if options.asked_before else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def start_server(options: argparse.Namespace) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, str(HERE / "sampling_server.py")]
    command += ["--latency-ms", str(options.latency_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, f"http://127.0.0.1:{int(process.stdout.readline())}/v1"


def write_project(folder: Path, cases: int, clusters: int) -> None:
    """Write suite, gate and target."""
    suite = folder / "datasets" / "bulk"
    for path in (suite, folder / "gates", folder / "targets"):
        path.mkdir(parents=True)
    head = SUITE | ({"cluster_by": "customer"} if clusters else {})
    (suite / "suite.yaml").write_text(json.dumps(head), "utf-8")
    with (suite / "cases.jsonl").open("w", encoding="utf-8") as file:
        for case in rows(cases, clusters):
            file.write(json.dumps(case) + "\n")
    prices = ", ".join(f"{model}: {{input: 0.4, output: 1.6}}" for model in MODELS.values())
    (folder / "gates" / "bulk.yaml").write_text(GATE, "utf-8")
    text = TARGET.replace("{PRICES}", f"{{{prices}}}")
    (folder / "targets" / "bulk.yaml").write_text(text, "utf-8")


def rows(cases: int, clusters: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(7)
    for number in range(cases):
        text = f"number {number}: " + " ".join(rng.choices(WORDS, k=30))
        case = {
            "id": f"case-{number}",
            "item": {"text": text},
            "expected": text if rng.random() < 0.9 else "something else",
            "tags": {
                "plan": rng.choice(["free", "team", "enterprise"]),
                "language": rng.choice(["en", "de", "fr", "es"]),
            },
        }
        yield case | ({"customer": f"customer-{number // clusters}"} if clusters else {})


@dataclass
class Bench:
    """The connection to one model on the bench's server."""

    endpoint: Any

    async def auth(self) -> dict[str, str]:
        return {"api-key": "key-0123456789abcdef"}


def settings_of(folder: Path) -> Any:
    from flows.settings import load_settings

    os.environ |= {
        "GATEWRIGHT_HOME": str(folder / "home"),
        "GATEWRIGHT_TARGETS": str(folder / "targets"),
        "GATEWRIGHT_GATES": str(folder / "gates"),
        "GATEWRIGHT_DATASETS": str(folder / "datasets"),
    }
    return load_settings()


def run_of(folder: Path) -> str:
    return (folder / "run").read_text()


async def open_(folder: Path, _options: argparse.Namespace) -> None:
    """Request the run: reads and checks target, gate and suite. Models are named here instead of resolved."""
    from evals.records import Candidate
    from flows.evaluation.request import request_run
    from flows.platforms.base import TriggerRef
    from flows.registry.opening import open_registry

    settings = settings_of(folder)
    ref = TriggerRef(model_id=MODELS["candidate"])
    run, _ = request_run(settings, "bulk", ref, kind="evaluation", actor="bench")
    with open_registry(settings) as registry:
        registry.note_run(
            run.run_id,
            actor="bench",
            candidate=Candidate(model_id=MODELS["candidate"], target="bulk"),
            candidate_model=MODELS["candidate"],
            baseline_model=MODELS["baseline"],
            baseline_generation=1,
        )
    (folder / "run").write_text(run.run_id)


async def before(folder: Path, options: argparse.Namespace) -> None:
    """Write what an earlier process was answered, when that is asked for."""
    from evals.records import Response, Usage
    from evals.sampling.journal.entries import Entry, encode_entry
    from evals.sampling.journal.journal import Journal

    if not options.asked_before:
        return
    rng = random.Random(3)
    usage = Usage(prompt_tokens=41, completion_tokens=3)
    journal = Journal.open(settings_of(folder).run_folder(run_of(folder)) / "journal")
    for number, case in enumerate(rows(options.cases[0], 0)):
        for role, model in MODELS.items():
            answer = Response(
                case_id=case["id"],
                model_id=model,
                outcome="answered",
                text=case["item"]["text"],
                finish_reason="stop",
                usage=usage,
                latency_ms=round(rng.uniform(40, 90), 3),
            )
            entry = Entry(at=1795250000.0, response=answer, request_id="6a0c1f0e", served_by=model)
            written = journal.put(role, "bulk", encode_entry(entry))
        if number % 500 == 0:
            await written
    await written
    journal.close(compress=False)


async def ask(folder: Path, options: argparse.Namespace) -> None:
    """Ask both models every case."""
    from evals.records import Endpoint
    from evals.sampling.response_store import ResponseStore
    from flows.evaluation.open_run import open_run
    from flows.platforms.base import Connection

    settings = settings_of(folder)
    with open_run(settings, run_of(folder)) as run:
        run.keep_deal()
        sides = {}
        for role, model in MODELS.items():
            endpoint = Endpoint(base_url=options.url, model=role, model_id=model)
            sides[role] = run.evaluated_model(
                role, Connection(endpoint=endpoint, auth=Bench(endpoint).auth)
            )
        with ResponseStore(settings.home / "responses") as store:
            await run.evaluation.ask(1, sides, store=store)
        await run.platform.aclose()


async def grade(folder: Path, _options: argparse.Namespace) -> None:
    """Score every answer."""
    from flows.evaluation.open_run import open_run

    with open_run(settings_of(folder), run_of(folder)) as run:
        await run.evaluation.grade()


async def judge(folder: Path, _options: argparse.Namespace) -> None:
    """Lay out answers and scores, judge them by the gate, store the verdict."""
    from flows.evaluation import steps

    verdict = steps.conclude(settings_of(folder), run_of(folder))
    assert all(check.n for check in verdict.checks), verdict.reasons


async def report(folder: Path, _options: argparse.Namespace) -> None:
    """Write the report."""
    from flows.reporting import gather

    assert gather.report_run(settings_of(folder), run_of(folder)).exists()


Stage = Callable[[Path, argparse.Namespace], Awaitable[None]]
STAGES: dict[str, Stage] = {
    "open": open_,
    "before": before,
    "ask": ask,
    "grade": grade,
    "judge": judge,
    "report": report,
}


def peak_mib() -> float:
    """Peak resident memory of this process; the kernel's count for it alone, not that of the process that started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this kernel does not say the peak of resident memory")


def size_mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / (1 << 20)


if __name__ == "__main__":
    sys.exit(main())

"""The whole promotion on real utterances, both ways round: the better model over the worse, the worse over the better.

Any JSONL of texts and labels will do (`--train`, `--test`, `--text-key`, `--label-key`). A small and a full fine-tune
are trained on the embedded platform; then the full one has to be promoted over the small one, and the small one to be
refused over the full one. Prints a table; exits 1 when either went the other way, 0 when the data is not there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "clinc150"
SYSTEM = "Name the intent of the utterance with exactly one label."

GATE = """
version: 1
name: intents
first_release: absolute_checks
training_overlap: {{exact: report}}  # some of CLINC's test questions stand in its training file word by word
early_stop: {early_stop}
checks:
  - {{metric: intent.accuracy, at_least: 0.3, max_drop: 0.02}}
  - {{metric: intent.macro_f1, max_drop: 0.03}}
  - {{metric: cost_usd_per_1k, max_rise: 20%}}
on_inconclusive: fail
"""
TARGET = """
version: 1
name: intents
platform: embedded
suites: [intents]
gate: intents
sampling: {temperature: 0, max_completion_tokens: 20, concurrency: 32}
promotion: {smoke_cases: 3}
"""


def main() -> int:
    options = parse()
    if not options.train.exists() or not options.test.exists():
        print(f"no data at {options.train} and {options.test}: nothing was run")
        return 0
    with tempfile.TemporaryDirectory(prefix="gatewright-bench-") as folder:
        return asyncio.run(Bench(options, Path(folder)).run())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--train", type=Path, default=DATA / "train.jsonl")
    parser.add_argument("--test", type=Path, default=DATA / "test.jsonl")
    parser.add_argument("--text-key", default="text")
    parser.add_argument("--label-key", default="intent")
    parser.add_argument("--limit", type=int, default=2000, help="test cases at most; 0 for all")
    parser.add_argument(
        "--train-limit", type=int, default=6000, help="examples of the full model; 0 for all"
    )
    parser.add_argument(
        "--small", type=float, default=0.15, help="share of them that the small model gets"
    )
    parser.add_argument("--early-stop", action="store_true", help="let the gate look early")
    return parser.parse_args()


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.rows: list[tuple[Any, ...]] = []

    async def run(self) -> int:
        train, test = self.prepare()
        emulator = self.start_emulator()
        try:
            models = {
                "small": await self.fine_tune(
                    "small", train[: round(len(train) * self.options.small)]
                ),
                "full": await self.fine_tune("full", train),
            }
            better = await self.promotions("better over worse", [models["small"], models["full"]])
            worse = await self.promotions("worse over better", [models["full"], models["small"]])
        finally:
            emulator.terminate()
            emulator.wait(20)
        self.show(len(train), len(test))
        right = better == ["promoted", "promoted"] and worse == ["promoted", "refused"]
        print("as expected" if right else f"NOT as expected: {better}, {worse}")
        return 0 if right else 1

    def prepare(self) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        rng = random.Random(7)
        train, test = self.read(self.options.train), self.read(self.options.test)
        for rows, limit in ((train, self.options.train_limit), (test, self.options.limit)):
            rng.shuffle(rows)
            del rows[limit or len(rows) :]
        suite = self.folder / "datasets" / "intents"
        for path in (suite, self.folder / "gates", self.folder / "targets"):
            path.mkdir(parents=True)
        labels = sorted({row["label"] for row in train} | {row["label"] for row in test})
        definition = {
            "version": 1,
            "name": "intents",
            "prompt": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": "{{ item.text }}"},
            ],
            "graders": [{"name": "intent", "type": "label", "labels": labels}],
        }
        (suite / "suite.yaml").write_text(json.dumps(definition), "utf-8")
        cases = (
            {"id": f"c{number:05}", "item": {"text": row["text"]}, "expected": row["label"]}
            for number, row in enumerate(test)
        )
        (suite / "cases.jsonl").write_text(lines(cases), "utf-8")
        early = "true" if self.options.early_stop else "false"
        (self.folder / "gates" / "intents.yaml").write_text(GATE.format(early_stop=early), "utf-8")
        (self.folder / "targets" / "intents.yaml").write_text(TARGET, "utf-8")
        return train, test

    def read(self, path: Path) -> list[dict[str, str]]:
        rows = (json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip())
        text, label = self.options.text_key, self.options.label_key
        return [{"text": str(row[text]), "label": str(row[label])} for row in rows]

    def start_emulator(self) -> subprocess.Popen[bytes]:
        from flows.orchestration.processes import free_port

        url = f"http://127.0.0.1:{(port := free_port())}"
        os.environ["GATEWRIGHT_EMBEDDED_URL"] = url
        command = [
            "-m",
            "flows.emulator",
            "--port",
            str(port),
            "--state",
            str(self.folder / "emulator"),
        ]
        log = (self.folder / "emulator.log").open("wb")
        process = subprocess.Popen([sys.executable, *command], stdout=log, stderr=log, cwd=ROOT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{url}/_emulator/health").is_success:
                    return process
            except httpx.TransportError:
                time.sleep(0.1)
        raise SystemExit((self.folder / "emulator.log").read_text())

    async def fine_tune(self, name: str, rows: list[dict[str, str]]) -> str:
        from flows.platforms.fine_tuning import jobs
        from flows.platforms.table import open_platform

        begin = time.perf_counter()
        platform = open_platform("embedded", {}, os.environ)
        examples = (
            {
                "messages": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": row["text"]},
                    {"role": "assistant", "content": row["label"]},
                ]
            }
            for row in rows
        )
        try:
            file = await jobs.upload_file(platform, lines(examples).encode(), poll_s=0.1)
            job = await jobs.create_job(
                platform, model="gpt-4.1-mini-2025-04-14", training_file=file, suffix=name, seed=1
            )
            job = await jobs.wait_finished(platform, job.id, poll_s=0.5)
        finally:
            await platform.aclose()
        assert job.succeeded, job.error
        print(
            f"fine-tuned {name} on {len(rows):,} examples in {time.perf_counter() - begin:.1f} s",
            flush=True,
        )
        return job.id

    async def promotions(self, title: str, job_ids: list[str]) -> list[str]:
        from flows.settings import load_settings

        home = self.folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        os.environ |= {
            "GATEWRIGHT_HOME": str(home),
            "GATEWRIGHT_TARGETS": str(self.folder / "targets"),
            "GATEWRIGHT_GATES": str(self.folder / "gates"),
            "GATEWRIGHT_DATASETS": str(self.folder / "datasets"),
        }
        return [await self.promotion(load_settings(), title, job) for job in job_ids]

    async def promotion(self, settings: Any, title: str, job_id: str) -> str:
        from flows.evaluation import steps
        from flows.evaluation.looks import judge_look
        from flows.evaluation.request import request_run, resolve
        from flows.platforms.base import TriggerRef
        from flows.registry.opening import open_registry
        from flows.release import go_live
        from flows.reporting import gather

        begin = time.perf_counter()
        run, _ = request_run(
            settings, "intents", TriggerRef(job_id=job_id), kind="promotion", actor="bench"
        )
        await resolve(settings, run.run_id)
        await steps.preflight(settings, run.run_id)
        await steps.deploy_candidate(settings, run.run_id)
        asking, calls = time.perf_counter(), 0
        for look in range(1, steps.rounds(settings, run.run_id) + 1):
            asked = await steps.ask_round(settings, run.run_id, look)
            calls += sum(role.requests for part in asked for role in part.roles.values())
            if judge_look(settings, run.run_id, look):
                break
        asking = time.perf_counter() - asking
        verdict = steps.conclude(settings, run.run_id)
        await go_live.go_live(settings, run.run_id)
        await steps.clean_up(settings, run.run_id)
        gather.report_run(settings, run.run_id)
        with open_registry(settings) as registry:
            state = registry.run(run.run_id).state
        first = verdict.checks[0 if verdict.baseline_model is None else 1]
        self.rows.append((title, verdict, first, calls, asking, time.perf_counter() - begin, state))
        return state

    def show(self, train: int, test: int) -> None:
        print(f"\n{train:,} training examples, {test:,} cases")
        print(
            f"{'':20}{'candidate':>10}{'baseline':>10}{'difference':>24}{'verdict':>14}{'calls':>8}{'asking s':>10}{'whole s':>9}"
        )
        for title, verdict, check, calls, asking, whole, state in self.rows:
            bounds = f"[{check.lower:+.3f}, {check.upper:+.3f}]" if check.lower is not None else "-"
            baseline = f"{check.baseline:.3f}" if check.baseline is not None else "none"
            print(
                f"{title:20}{check.candidate or 0:>10.3f}{baseline:>10}{bounds:>24}{verdict.outcome:>14}"
                f"{calls:>8,}{asking:>10.1f}{whole:>9.1f}  {state}"
            )


def lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    sys.exit(main())

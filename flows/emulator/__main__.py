"""`python -m flows.emulator --port 8790 --state .gatewright/emulator`: serve the embedded platform on loopback."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from flows.emulator.switches import Switches, changed, profile


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and serve until stopped. Returns 3 for wrong input, 4 when the port is taken."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # before numpy is loaded: small models need no threads
    options = _parser().parse_args(arguments)
    try:
        switches = _switches(options)
    except (ValueError, OSError) as error:
        print(f"emulator: {error}", file=sys.stderr)  # noqa: T201 - a command's own words
        return 3
    from flows.emulator.server import open_state, serve
    from flows.emulator.webhooks.registration import add_webhook

    state = open_state(options.state, switches)
    if options.webhook_url:
        try:
            add_webhook(state, options.webhook_url, options.webhook_secret or "")
        except ValueError as error:
            print(f"emulator: --webhook-secret: {error}", file=sys.stderr)  # noqa: T201
            return 3
    try:
        serve(state, options.port)
    except OSError as error:
        print(f"emulator: can't listen on port {options.port}: {error}", file=sys.stderr)  # noqa: T201
        return 4
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.emulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=8790, help="loopback port (default 8790)")
    add(
        "--state",
        type=Path,
        required=True,
        help="folder that keeps files, models, jobs, deployments",
    )
    add(
        "--flavour",
        choices=("path", "azure", "openai"),
        help="whose shapes job and answer have (default: the path's)",
    )
    add(
        "--profile",
        choices=("calm", "mix"),
        default="calm",
        help="'mix' throttles, filters and shuffles a little",
    )
    add("--webhook-url", help="receiver of every event")
    add("--webhook-secret", help="its signing secret, whsec_…")
    add("--switches", type=Path, metavar="FILE.json", help="switches from a JSON file")
    add(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one switch; VALUE is JSON or a word",
    )
    return parser


def _switches(options: argparse.Namespace) -> Switches:
    """Put profile, file, single switches and flavour together. Raises ValueError naming what does not fit."""
    changes: dict[str, Any] = {}
    if options.switches:
        changes.update(json.loads(options.switches.read_text("utf-8")))
    for text in options.switch:
        name, divider, value = text.partition("=")
        if not divider:
            raise ValueError(f"--switch expects NAME=VALUE; found '{text}'")
        changes[name] = _value(value)
    if options.flavour:
        changes["flavour"] = options.flavour
    try:
        return changed(profile(options.profile), changes)
    except msgspec.ValidationError as error:
        raise ValueError(f"switches: {error}") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    raise SystemExit(main())

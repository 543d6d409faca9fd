"""What this version stores, as a fixture for the versions to come: a registry with two promotions, their folders and files.

A change of `evals.files.versions.FORMAT` makes a new one, with the code that writes that format:

    PYTHONPATH=tests:. python -m support.stored_state

The fixtures of before stay, so that what they hold is read on or refused on purpose.
"""

from __future__ import annotations

import base64
import json
import lzma
import tarfile
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.paths import ROOT
from support.promoted import TARGET, two_promoted

from evals import __version__
from evals.files.versions import FORMAT

FIXTURES = ROOT / "tests" / "fixtures"


def write_fixture(path: Path) -> None:
    """Promote two models and pack what is stored of it."""
    with tempfile.TemporaryDirectory() as folder, two_promoted(Path(folder)) as original:
        facts = {"written_by": __version__, "format": FORMAT, "target": TARGET}
        about = Path(folder) / "fixture.json"
        about.write_text(json.dumps({**facts, "runs": original.runs}))
        key = Path(folder) / "verify_key.txt"
        key.write_text(_public(original.signing_key))
        with (
            lzma.open(path, "wb", preset=9) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            archive.add(about, "fixture.json")
            archive.add(key, "verify_key.txt")
            archive.add(original.folder, "project")


def _public(signing_key: str) -> str:
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(signing_key))
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


if __name__ == "__main__":
    write_fixture(FIXTURES / f"state_of_format_{FORMAT}.tar.xz")

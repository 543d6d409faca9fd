"""Reading the body of a new fine-tuning job, as strictly as the services do."""

from __future__ import annotations

import re
import secrets
from typing import Any

from flows.emulator.gateway.errors import bad_request, data_plane_error
from flows.emulator.state.documents import Flavour

__all__ = [
    "random_letters",
    "read_hyperparameters",
    "read_metadata",
    "read_method",
    "read_seed",
    "read_suffix",
]

_METHODS = ("supervised", "dpo", "reinforcement")


def random_letters(count: int) -> str:
    """Return random letters and digits, as OpenAI's ids have them."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
    return "".join(secrets.choice(alphabet) for _ in range(count))


def read_method(body: dict[str, Any], flavour: Flavour) -> str:
    """Return the type of the training method. Raises 400."""
    method = body.get("method") or {"type": "supervised"}
    kind = method.get("type") if isinstance(method, dict) else None
    if kind not in _METHODS:
        raise bad_request(
            f"'method.type' must be one of {list(_METHODS)}.", flavour, param="method"
        )
    if kind == "reinforcement":
        raise data_plane_error(
            400,
            "method_not_available",
            "Reinforcement fine-tuning is gated and not available here.",
            flavour=flavour,
            param="method",
        )
    return str(kind)


def read_hyperparameters(body: dict[str, Any], method: str, flavour: Flavour) -> dict[str, Any]:
    """Return the hyperparameters asked for, checked. Raises 400."""
    wanted = dict(body.get("hyperparameters") or {})
    wanted.update(((body.get("method") or {}).get(method) or {}).get("hyperparameters") or {})
    for name, (low, high) in {
        "batch_size": (1, 256),
        "n_epochs": (1, 50),
        "learning_rate_multiplier": (1e-9, 1e3),
    }.items():
        value = wanted.get(name, "auto")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value != "auto" and not (number and low <= value <= high):
            raise bad_request(
                f"'{name}' must be 'auto' or between {low} and {high}; got {value!r}.",
                flavour,
                param=name,
            )
    return wanted


def read_suffix(suffix: Any, flavour: Flavour) -> str | None:
    """Return the suffix, checked. Raises 400."""
    if suffix is None:
        return None
    longest = 40 if flavour == "azure" else 64
    if not isinstance(suffix, str) or not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{longest}}}", suffix):
        raise bad_request(
            f"'suffix' must have 1 to {longest} letters, digits, '-' or '_'; got {suffix!r}.",
            flavour,
            param="suffix",
        )
    return suffix


def read_seed(seed: Any, training_file: str, flavour: Flavour) -> int:
    """Return the seed, one made from the file's id when none is asked for. Raises 400."""
    if seed is None:
        return int.from_bytes(training_file[-4:].encode()) % 2_147_483_647
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**31:
        raise bad_request("'seed' must be an integer from 0 to 2147483647.", flavour, param="seed")
    return seed


def read_metadata(metadata: Any, flavour: Flavour) -> dict[str, str] | None:
    """Return the metadata, checked. Raises 400."""
    if metadata is None:
        return None
    fits = isinstance(metadata, dict) and len(metadata) <= 16
    if not fits or not all(
        isinstance(v, str) and len(k) <= 64 and len(v) <= 512 for k, v in metadata.items()
    ):
        raise bad_request(
            "'metadata' holds at most 16 pairs of 64 and 512 characters.", flavour, param="metadata"
        )
    return dict(metadata)

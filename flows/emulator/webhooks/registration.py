"""The receiver of webhooks that is named on the command line."""

from __future__ import annotations

from flows.emulator.gateway.accounts import DEFAULT_ACCOUNT
from flows.emulator.state.documents import WebhookEndpoint
from flows.emulator.state.emulator_state import EmulatorState
from flows.emulator.webhooks.signing import secret_key

__all__ = ["add_webhook"]

_EVENT_TYPES = [f"fine_tuning.job.{end}" for end in ("succeeded", "failed", "cancelled")]


def add_webhook(state: EmulatorState, url: str, secret: str) -> None:
    """Send every event of the default account to `url`. Raises ValueError for a secret that is none."""
    secret_key(secret)
    state.store.put(
        WebhookEndpoint(
            id="we_commandline",
            account=DEFAULT_ACCOUNT.name,
            url=url,
            event_types=_EVENT_TYPES,
            secret=secret,
        )
    )

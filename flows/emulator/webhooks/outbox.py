"""Delivery of webhooks: stored before they are sent, retried with growing pauses, sent after a restart.

Times of retries are the emulator's; the signed timestamp is the wall clock's, since receivers compare it with theirs.
"""

from __future__ import annotations

import json
import secrets
import time

import httpx
from msgspec.structs import replace

from flows.emulator.state.documents import Outgoing, WebhookEndpoint
from flows.emulator.state.emulator_state import EmulatorState
from flows.emulator.webhooks.signing import new_secret, signature_header

__all__ = ["Outbox", "deliver_once", "queue_event"]


def queue_event(state: EmulatorState, account: str, event_type: str, object_id: str) -> None:
    """Queue an event for every receiver of an account that subscribes to it; durable before this returns."""
    for endpoint in state.store.all(WebhookEndpoint):
        if endpoint.account == account and event_type in endpoint.event_types:
            _queue_for(state, endpoint, event_type, object_id)
    state.outbox_changed.set()


def _queue_for(
    state: EmulatorState, endpoint: WebhookEndpoint, event_type: str, object_id: str
) -> None:
    switches, now = state.switches, state.clock.now()
    due = now + switches.webhook_late_s
    if switches.webhook_shuffle:
        due += 0.5 * state.draw("webhook-shuffle", state.count("webhook-shuffle"))
    number = secrets.token_hex(12)
    message = Outgoing(
        id=f"wh_{number}",
        endpoint=endpoint.id,
        webhook_id=f"wh_{number}",
        body=_event(f"evt_{number}", event_type, object_id, now),
        due_at=due,
        first_at=now,
    )
    state.store.put(message)
    if state.chance("webhook-duplicate", switches.webhook_duplicate_rate):
        state.store.put(replace(message, id=f"{message.id}#2", due_at=due + 0.2))


def _event(key: str, event_type: str, object_id: str, now: float) -> str:
    event = {
        "object": "event",
        "id": key,
        "type": event_type,
        "created_at": int(now),
        "data": {"id": object_id},
    }
    return json.dumps(event, separators=(",", ":"))


class Outbox:
    """The background work that empties the outbox."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state
        self._sending: set[str] = set()

    async def run(self) -> None:
        """Send what is due, for ever."""
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as client:
            while True:
                waiting = [
                    one for one in self.state.store.all(Outgoing) if one.id not in self._sending
                ]
                now = self.state.clock.now()
                for message in waiting:
                    if message.due_at <= now:
                        self._sending.add(message.id)
                        self.state.start(self._send(client, message), f"webhook {message.id}")
                later = [one.due_at for one in waiting if one.due_at > now]
                await self.state.clock.sleep_until(
                    min(later, default=now + 3600.0), interrupt=self.state.outbox_changed
                )
                self.state.outbox_changed.clear()

    async def _send(self, client: httpx.AsyncClient, message: Outgoing) -> None:
        try:
            endpoint = self.state.store.get(WebhookEndpoint, message.endpoint)
            if endpoint is None or await _accepted(self.state, client, endpoint, message):
                self.state.store.delete(Outgoing, message.id)
            else:
                self._postpone(message)
        finally:
            self._sending.discard(message.id)
            self.state.outbox_changed.set()

    def _postpone(self, message: Outgoing) -> None:
        switches, now = self.state.switches, self.state.clock.now()
        message.attempts += 1
        message.due_at = now + switches.webhook_retry_s * 2 ** min(message.attempts - 1, 16)
        if message.due_at > message.first_at + switches.webhook_give_up_s:
            self.state.store.delete(Outgoing, message.id)
        else:
            self.state.store.put(message)


async def _accepted(
    state: EmulatorState, client: httpx.AsyncClient, endpoint: WebhookEndpoint, message: Outgoing
) -> bool:
    try:
        status = await deliver_once(state, client, endpoint, message.webhook_id, message.body)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return 200 <= status < 300


async def deliver_once(
    state: EmulatorState,
    client: httpx.AsyncClient,
    endpoint: WebhookEndpoint,
    webhook_id: str,
    body: str,
) -> int:
    """Send one webhook and return the receiver's status. Raises httpx.HTTPError when there is no answer."""
    timestamp = int(time.time() + state.switches.webhook_timestamp_skew_s)
    header = signature_header(
        _active_secrets(state, endpoint), webhook_id, timestamp, body.encode()
    )
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "embedded-webhooks/1.0",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": header,
    }
    answer = await client.post(
        endpoint.url, content=body, headers=headers, timeout=state.switches.webhook_timeout_s
    )
    return answer.status_code


def _active_secrets(state: EmulatorState, endpoint: WebhookEndpoint) -> list[str]:
    unknown = [new_secret()] if state.switches.webhook_two_signatures else []
    return [*unknown, endpoint.secret]

"""Webhooks: events of fine-tuning jobs in, signed requests to the receiver out, retried until they are accepted.

Begin with `outbox`: `queue_event` stores an event before anything is sent, `Outbox` delivers it. `registration` sets the
receiver, `signing` makes the signatures of the Standard Webhooks scheme.
"""

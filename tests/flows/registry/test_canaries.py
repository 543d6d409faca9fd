"""Canaries on record: one row a target, events for what is to be told, and nothing in the chain for a look."""

from __future__ import annotations

from evals.records import decode
from flows.registry.canaries import CanaryCase, CanaryChange, CanaryLook, CanaryState

STORED = """{"target":"triage","generation":3,"model_id":"v3","chosen_at":"2026-11-28T12:00:00Z","asking":"sha256:a",
"cases":[{"suite":"s","case_id":"c1","case":"sha256:b","by":"text","answer":"sha256:c","agreed":6,"latency_ms":12.5}],
"passed_over":2,"marks":["system fingerprint fp_1"],"looks":4,"compared_at":"2026-11-28T15:00:00Z","month":"2026-11",
"last":{"at":"2026-11-28T15:00:00Z","outcome":"changed","said":"x","answered":20,"differing":7,"p":1e-9,"calls":34},
"change":{"at":"2026-11-28T15:00:00Z","said":"x","answers":true,"key":"canary:triage:1","flow_run":"f","starts":1},
"month_calls":254,"month_usd":0.02}"""


def test_what_is_stored_now_is_read_later():
    state = decode(STORED, CanaryState)
    assert isinstance(state.cases[0], CanaryCase)
    assert isinstance(state.last, CanaryLook)
    assert isinstance(state.change, CanaryChange)
    assert decode('{"target":"triage","generation":1,"model_id":"v1"}', CanaryState).looks == 0


def test_a_look_leaves_no_event_and_a_change_does(registry):
    state = decode(STORED, CanaryState)
    before = registry.chain_head()
    assert registry.canary("triage") is None
    for _ in range(3):
        registry.keep_canary(state)
    assert registry.chain_head() == before
    registry.keep_canary(state, event="canary_changed", reason="7 of 20 cases")
    (event,) = registry.history("triage")
    assert (event.kind, event.model_id, event.facts()["generation"]) == ("canary_changed", "v3", 3)
    assert registry.canary("triage") == state
    assert registry.canaries() == (state,)
    assert registry.verify() == ()

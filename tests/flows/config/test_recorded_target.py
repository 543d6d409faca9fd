"""What changed between two targets: every key that was added, with the value that it has now."""

from __future__ import annotations

from flows.config.recorded_target import target_edits


def test_a_block_that_was_empty_before_is_told_by_its_keys_alone() -> None:
    (edit,) = target_edits({"canary": {}}, {"canary": {"cases": 20}})
    assert (edit.field, edit.change) == ("canary.cases", "none -> 20")

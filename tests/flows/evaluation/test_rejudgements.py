"""A candidate whose baseline moved is judged once more, and once only, also where the first time was before an update."""

from __future__ import annotations

from flows.evaluation.request import is_rejudgement, request_run
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry

REF = TriggerRef(model_id="m-new")


def requested(letters, **marks):
    run, created = request_run(
        letters.settings, "letters", REF, kind="promotion", actor="ada", **marks
    )
    return run, created


def test_a_rejudgement_is_a_run_of_its_own_that_names_the_run_before(letters):
    first, _ = requested(letters)
    again, created = requested(letters, rejudges=first.run_id)
    assert created
    assert again.trigger == {"model_id": "m-new", "rejudges": first.run_id}
    assert [is_rejudgement(run) for run in (first, again)] == [False, True]
    assert requested(letters, rejudges=first.run_id) == (again, False)


def test_a_rejudgement_on_record_from_before_is_found_and_not_made_again(letters):
    first, _ = requested(letters)
    before, _ = requested(letters, again=f"judges again {first.run_id}")
    assert is_rejudgement(before)
    assert requested(letters, rejudges=first.run_id) == (before, False)
    with open_registry(letters.settings) as registry:
        assert len(registry.runs("letters")) == 2


def test_a_run_started_again_by_hand_is_no_rejudgement(letters):
    run, _ = requested(letters, again="20261127T1200")
    assert not is_rejudgement(run)

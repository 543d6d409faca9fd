"""How candidates are named, and what is said about names that don't do."""

from __future__ import annotations

import pytest

from evals.errors import ConfigurationError
from evals.records import Candidate
from flows.platforms.base import TriggerRef
from flows.selection.names import names_of, reference_of


def test_candidates_jobs_and_checkpoints_of_a_job_are_named_in_order():
    assert names_of("ftjob-1, ft:m:x,ftchkpt-2", (), None) == ("ftjob-1", "ft:m:x", "ftchkpt-2")
    assert names_of(None, ("ftjob-1", "ftjob-2"), None) == ("ftjob-1", "ftjob-2")
    assert names_of("m", ("ftjob-1",), None) == ("m", "ftjob-1")
    assert names_of(None, ("ftjob-1",), "80,ftchkpt-9") == ("ftjob-1/80", "ftchkpt-9")


@pytest.mark.parametrize(
    ("candidates", "jobs", "checkpoints", "told"),
    [
        ("a", (), None, "at least two candidates to choose from; found 1"),
        ("a,b,a", (), None, "'a' is named twice"),
        ("a,,b", (), None, "expected names with commas between them; found 'a,,b'"),
        (None, ("ftjob-1", "ftjob-2"), "80", "exactly one --job"),
        (None, (), "80,90", "exactly one --job"),
        ("a,b", ("ftjob-1",), "80", "no --candidates"),
    ],
)
def test_names_that_don_t_do_are_refused_in_one_sentence(candidates, jobs, checkpoints, told):
    with pytest.raises(ConfigurationError, match=told) as refused:
        names_of(candidates, jobs, checkpoints)
    assert len(refused.value.problems) == 1


def test_who_was_chosen_is_promoted_by_the_name_it_came_with():
    plain = Candidate(model_id="m", target="t")
    kept = Candidate(model_id="m", target="t", checkpoint="ftchkpt-9", job_id="ftjob-1")
    assert reference_of("ftjob-1", plain) == TriggerRef(job_id="ftjob-1")
    assert reference_of("m", plain) == TriggerRef(model_id="m")
    assert reference_of("ftjob-1/80", kept) == TriggerRef(checkpoint="ftchkpt-9")

"""A run on a disk that fills up: said before a model is asked, or stopped where it is, and gone on with once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.letters import BASELINE, CANDIDATE, CASES, Letters, ModelHost
from support.small_disk import SmallDisk, small_disk

from evals.errors import ConfigurationError, InfrastructureError
from evals.sampling.journal.journal import Journal


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "home", "8m") as mounted:
        yield mounted


async def test_a_run_that_has_no_room_is_told_how_much_it_needs_before_it_asks_anything(
    disk: SmallDisk, letters: Letters, host: ModelHost
) -> None:
    run_id = letters.request()
    disk.fill(but=1 << 20)
    with pytest.raises(ConfigurationError) as caught:
        await letters.prepare(run_id)
    said = f"field 'disk': 40 answers need more: the disk at {disk.folder} has too little room"
    assert said in str(caught.value)
    assert "MiB needed" in str(caught.value)
    assert not host.asked
    disk.free()
    await letters.prepare(run_id)


async def test_a_run_whose_disk_fills_up_stops_and_goes_on_without_asking_again(
    disk: SmallDisk, letters: Letters, host: ModelHost
) -> None:
    letters.go_live()
    run_id = letters.request()
    await letters.prepare(run_id)

    def answered() -> int:
        with Journal.open(
            letters.settings.run_folder(run_id) / "journal", read_only=True
        ) as journal:
            return sum(len(journal.answered(role, "letters")) for role in ("candidate", "baseline"))

    def asked() -> int:
        return host.asked[CANDIDATE] + host.asked[BASELINE]

    def fill_once_some_are_kept(_model: str, _question: str) -> str:
        if answered() >= 5:
            disk.fill()
        return "a kind letter, " * 40

    host.say = fill_once_some_are_kept
    with pytest.raises(InfrastructureError, match=f"the disk at {disk.folder} is full"):
        await letters.judge(run_id)
    kept, before = answered(), asked()
    assert 5 <= kept < 2 * CASES
    disk.free()
    host.say = None
    verdict = await letters.judge(run_id)
    assert verdict.outcome == "PASS"
    assert asked() - before == 2 * CASES - kept, "what was on disk is not asked again"

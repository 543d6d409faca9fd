"""Publishing to a file: whole or not at all, and readable as what was written."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from msgspec.structs import replace

from evals.errors import PublishError
from flows.publishers.file import FileOptions, FilePublisher

PLACES = ["live/pointer.json", "live/pointer.env"]


@pytest.fixture(params=PLACES)
def publisher(request, tmp_path):
    return FilePublisher("triage", FileOptions(path=request.param), tmp_path)


async def test_what_was_published_is_read_back(publisher, pointer):
    assert await publisher.read_back() is None
    await publisher.publish(pointer)
    assert await publisher.read_back() == pointer


async def test_a_pointer_without_deployment_and_with_a_run_is_read_back_too(publisher, pointer):
    pointer = replace(pointer, deployment=None, run_id="run-1")
    await publisher.publish(pointer)
    assert await publisher.read_back() == pointer


async def test_publishing_the_same_again_does_not_touch_the_file(publisher, pointer):
    await publisher.publish(pointer)
    before = publisher.path.stat()
    await publisher.publish(pointer)
    assert publisher.path.stat().st_ino == before.st_ino


async def test_a_new_pointer_replaces_the_old_one_in_one_step(publisher, pointer):
    await publisher.publish(pointer)
    with publisher.path.open() as reader:
        await publisher.publish(replace(pointer, generation=4, model_id="ft:new"))
        assert "abc" in reader.read()  # a reader that had it open still reads all of the old one
    assert (await publisher.read_back()).model_id == "ft:new"
    assert os.listdir(publisher.path.parent) == [publisher.path.name]


async def test_applications_may_read_it_and_a_mode_that_was_set_stays(publisher, pointer):
    await publisher.publish(pointer)
    assert publisher.path.stat().st_mode & 0o777 == 0o644
    publisher.path.chmod(0o640)
    await publisher.publish(replace(pointer, generation=4))
    assert publisher.path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("hostile", ["$(touch owned)", "`touch owned`", "$HOME"])
async def test_a_name_that_a_shell_would_run_is_only_a_name(tmp_path, pointer, hostile):
    publisher = FilePublisher("triage", FileOptions(path=".env"), tmp_path)
    await publisher.publish(replace(pointer, model_id=hostile))
    command = '. ./.env; printf "%s" "$GATEWRIGHT_MODEL_ID"'
    said = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert said.stdout == hostile
    assert os.listdir(tmp_path) == [".env"]
    for unwritable in ("it's", "two\nlines"):
        with pytest.raises(PublishError, match="dotenv"):
            await publisher.publish(replace(pointer, model_id=unwritable))


@pytest.mark.parametrize("rubbish", [b"", b"{", b"\xff\xfe", b'{"target": "triage"}', b"A=1\n"])
async def test_rubbish_is_no_pointer_and_is_replaced(publisher, pointer, rubbish):
    publisher.path.parent.mkdir()
    publisher.path.write_bytes(rubbish)
    with pytest.raises(PublishError):
        await publisher.read_back()
    await publisher.publish(pointer)
    assert await publisher.read_back() == pointer


async def test_withdrawing_takes_the_file_away_and_may_be_done_twice(publisher, pointer):
    await publisher.publish(pointer)
    await publisher.withdraw()
    await publisher.withdraw()
    assert await publisher.read_back() is None


async def test_a_place_that_can_not_be_written_is_named(tmp_path, pointer):
    (tmp_path / "live").write_text("a file where a folder should be")
    publisher = FilePublisher("triage", FileOptions(path="live/pointer.json"), tmp_path)
    with pytest.raises(PublishError, match=r"live/pointer\.json can't be written"):
        await publisher.publish(pointer)


async def test_the_json_is_plain_for_any_reader(tmp_path, pointer):
    publisher = FilePublisher("triage", FileOptions(path="p.json"), tmp_path)
    await publisher.publish(pointer)
    plain = json.loads(publisher.path.read_text())
    assert plain["model_id"] == pointer.model_id
    assert plain["endpoint"]["model"] == "prod-abc"


async def test_a_shell_can_source_the_dotenv_file(tmp_path, pointer):
    options = FileOptions(path="settings", format="dotenv", prefix="LIVE_")
    publisher = FilePublisher("triage", options, tmp_path)
    await publisher.publish(pointer)
    said = subprocess.run(
        ["sh", "-c", '. ./settings; printf "%s %s" "$LIVE_MODEL_ID" "$LIVE_ENDPOINT_BASE_URL"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"{pointer.model_id} {pointer.endpoint.base_url}"

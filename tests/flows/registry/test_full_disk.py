"""A registry on a full disk says which disk that is, changes nothing, and goes on once there is room."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.project import Project
from support.small_disk import SmallDisk

from evals.errors import RegistryError
from flows.registry.store import Registry


def test_what_is_written_to_a_full_disk_did_not_happen_and_can_happen_later(
    disk: SmallDisk,
) -> None:
    path = disk.folder / "registry.db"
    with Registry.open(f"sqlite:///{path}") as registry:
        registry.hold("first", actor="ana", reason="before")
        disk.fill()
        with pytest.raises(RegistryError) as caught:
            for number in range(50):  # a page of the log may still have room
                registry.hold(f"t{number}", actor="ana", reason="long " * 2000)
        said = str(caught.value)
        assert f"{path} can't be written: the disk at {disk.folder} is full (" in said
        assert "4 KiB" in said and "needed)" in said
        disk.free()
        registry.hold("last", actor="ana", reason="after")
        assert registry.held("first") is not None and registry.held("last") is not None
        assert registry.verify() == ()


def test_every_command_says_so_in_one_line(disk: SmallDisk, tmp_path: Path) -> None:
    project = Project(tmp_path, more={"GATEWRIGHT_HOME": str(disk.folder / "home")})
    disk.fill()
    for typed in (("runs",), ("live",)):
        said = project.command(*typed)
        assert said.code == 4
        assert f"{disk.folder} is full (0 B free, " in said.err
        assert len(said.err.splitlines()) == 1 and "bug" not in said.err
    disk.free()
    assert project.command("runs").code == 0

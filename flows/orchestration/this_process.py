"""Names this process in a registry that many machines share, and knows of some others that they are dead.

A name says host, process and boot: a number alone belongs to somebody else sooner or later. Death is known at once only
where it is sure: the same kernel since the same boot, the same space of process numbers, and no such process in it. Of
all others the lease's time decides.
"""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path
from typing import NamedTuple

__all__ = ["HolderName", "is_dead", "is_gone", "new_holder", "read_holder"]


class HolderName(NamedTuple):
    """A process that took up a run. `began` is its start in ticks since the boot, `world` its boot and process space."""

    host: str
    pid: str
    began: str
    world: str
    taking: str


def new_holder() -> str:
    """Return a name for this process that no other one ever had; a new one each time it takes something up."""
    pid = os.getpid()
    _state, began = _process(pid) or ("", "")
    return "/".join(
        HolderName(socket.gethostname(), str(pid), began, _world(), uuid.uuid4().hex[:8])
    )


def read_holder(holder: str) -> HolderName:
    """Return what a name says."""
    return HolderName(*holder.split("/"))


def is_dead(holder: str) -> bool:
    """Say whether the process of this name surely runs no more; False wherever that can't be known."""
    named = read_holder(holder) if holder.count("/") == len(HolderName._fields) - 1 else None
    if named is None or not named.world or named.world != _world():
        return False
    found = _process(int(named.pid))
    return found is None or found[0] in "ZX" or found[1] != named.began


def is_gone(infrastructure: str) -> bool:
    """Say whether no process here is the one that a Prefect worker of this machine names as PID or HOST:PID.

    False where it names another host. A worker of another machine may have left out which: see who asks.
    """
    host, _, pid = infrastructure.rpartition(":")
    here = host in ("", socket.gethostname()) and pid.isdecimal() and bool(_world())
    found = _process(int(pid)) if here else None
    return here and (found is None or found[0] in "ZX")


def _process(pid: int) -> tuple[str, str] | None:
    """State and start of a process, as /proc tells them; None without it."""
    try:
        # What is in brackets may hold anything, so that the fields are counted from its end.
        fields = (
            Path(f"/proc/{pid}/stat")
            .read_text("ascii", errors="replace")
            .rpartition(")")[2]
            .split()
        )
    except OSError:
        return None
    return fields[0], fields[19]


def _world() -> str:
    """The boot and the process space; "" where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""

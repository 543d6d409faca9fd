"""Files that outlive a crash: written whole or not at all, longer by whole lines, and read back as what they were.

In: bytes and records. Out: durable files; where the disk has no room, one error that says which disk, how much is needed
and how much is free (`full_disk.py`, the one place that words it). Files of SQLite that can only be read: `sqlite_to_look.py`. Begin with `durable.py`.
"""

from evals.files.durable import (
    append_lines,
    drop_torn_line,
    replace_file,
    sync_folder,
    whole_lines,
    write_all,
)
from evals.files.full_disk import DiskFullError, room_for

__all__ = [
    "DiskFullError",
    "append_lines",
    "drop_torn_line",
    "replace_file",
    "room_for",
    "sync_folder",
    "whole_lines",
    "write_all",
]

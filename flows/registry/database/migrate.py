"""Moving a registry to another database: every row of every table, copied in one transaction and verified there.

The chain of events comes with it as it is, so that what was proved before the move is proved after it.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from evals.errors import RefusedError, RegistryError
from flows.registry.audit import tables
from flows.registry.database.schema import chain_head, metadata, migrations
from flows.registry.store import Registry

__all__ = ["move"]

_ROWS = 500


def move(source: Registry, goal: Registry) -> dict[str, int]:
    """Copy a registry into an empty one; return the number of rows by table.

    Nobody can write to either meanwhile. Raises RefusedError when the goal is not empty or the source is not intact,
    RegistryError when what arrived is not what was sent; the goal is empty then as before.
    """
    if goal.chain_head()[0]:
        raise RefusedError("the other registry holds something already; name an empty database")
    with source.database.write() as reader, goal.database.write() as writer:
        old, new = reader.connection, writer.connection
        if problems := tables.verify(old):
            raise RefusedError(f"the registry is not intact, so it is not moved: {problems[0]}")
        copied = {table.name: _copy(old, new, table.name) for table in metadata.sorted_tables}
        new.execute(chain_head.update().values(**dict(old.execute(_HEAD).mappings().one())))
        if problems := tables.verify(new):
            raise RegistryError(f"what arrived is not what was sent: {problems[0]}")
    return {name: count for name, count in copied.items() if count}


_HEAD = select(chain_head.c.seq, chain_head.c.hash)


def _copy(old: Connection, new: Connection, name: str) -> int:
    table = metadata.tables[name]
    if table in (chain_head, migrations):
        return 0
    count = 0
    for part in old.execute(select(table)).mappings().partitions(_ROWS):
        new.execute(insert(table), [dict(row) for row in part])
        count += len(part)
    found = new.execute(select(func.count()).select_from(table)).scalar_one()
    if found != count:
        raise RegistryError(f"{count} rows of {name} were sent and {found} arrived")
    return count

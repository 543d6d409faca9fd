"""The registry's tables, migrations and transactions on SQLite or PostgreSQL.

In: a database URL. Out: connections in which a read is a snapshot and a write holds the lock. Begin with `engine`.
"""

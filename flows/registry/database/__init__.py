"""The registry's tables, migrations and transactions on SQLite or PostgreSQL. Begin with `engine`."""

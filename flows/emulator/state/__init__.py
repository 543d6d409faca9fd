"""What the emulator remembers: documents in SQLite and the clock, both kept in the state folder over a restart.

Begin with `documents`, one class for each kind of thing; the name of the class is its kind in the database. `store` reads
and writes them, `clock` is the time that tests advance, `emulator_state` bundles all that handlers share.
"""

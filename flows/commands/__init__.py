"""The commands of `gatewright`, each in the file of its name (`run` holds promote, evaluate and regress).

In: what a person typed. Out: text or JSON, and an exit code. Commands parse, call one function of a room below, and show
what it returned; rules belong there and not here. Begin with `flows.cli`, which registers them; `options` and `output`
are what they share, `views/` lays out tables.
It is flat on purpose: a command is found by its name; `views/` has what several show.
"""

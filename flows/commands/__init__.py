"""The commands of `gatewright`. Most stand in the file of their name; those that belong together share one: `run` has
promote, evaluate and regress; `inspect` live, history, runs and report; `decide` approve, reject and override;
`rollback_and_holds` rollback, hold, release, revoke and reinstate; `plan` plan and gate.

In: what a person typed. Out: text or JSON, and an exit code. Commands parse, call one function of a room below, and show
what it returned; rules belong there and not here. Begin with `flows.cli`, which registers them; `options` and `output`
are what they share, `views/` lays out tables.
It is flat on purpose: `grep "def <command>"` finds each, and none needs a folder.
"""

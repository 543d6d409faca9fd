"""Says how far a run is, a few times a second, in a terminal, a log or a file.

In: counters of the run. Out: snapshots for whoever listens. Nothing here runs once an answer. Begin with `snapshot`;
`reporter` makes snapshots, `displays` shows them.
"""

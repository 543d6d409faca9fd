"""Kept answers: those of every model that went live, and which of these models a run is held against.

In: a run that made a model live; later, another run. Out: folders that nothing prunes, and the evidence of earlier models
that judging takes besides. Begin with `keep`, then `pinned`.
"""

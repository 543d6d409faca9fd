"""Chooses one of several candidates for a target: names them, asks them a part of the suites, and settles who is judged.

In: the candidates as a person named them. Out: one of them, for a promotion run to judge on the cases that took no part,
or nobody. Begin with `request`; `field` puts all of it on record before the first answer, `rungs` asks and drops, `slots`
finds room for as many at once as there is, `facts` tells what happened. Every step is safe to do again. No Prefect here.
"""

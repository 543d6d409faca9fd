"""Answers that a run lost to infrastructure: asked for again before it is judged, and, once it is, by a retry.

In: a run, and what its target says of lost answers. Out: the plan of its slow round, grades that judges gave late, and a judged
run opened again. Begin with `retry`; the slow round itself is `evals.evaluation.lost_answers`.
"""

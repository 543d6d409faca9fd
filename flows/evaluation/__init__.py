"""The steps of a run up to its verdict: requested, checked before money is spent, asked in rounds, judged. What asks and
grades is `evals.evaluation`; here it gets its slots, budget, registry and place on disk.

In: a target and what names its candidate. Out: answers, scores and looks in the run's folder, a verdict and suite
results in the registry. Every step opens the run from its id, so that it can run in a process of its own and be done
again after a crash. Begin with `steps`, which has them in order; `open_run` opens a run, `request` begins one.
"""

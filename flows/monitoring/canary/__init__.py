"""The canary: a few cases that the live model is asked every hour, and the regression run that a change in them starts.

In: what is live, its kept answers, what earlier looks left in the registry. Out: a look on record, and at most one
regression run for each change. Begin with `look`; the statistics are `evals.stats.steady_answers`.
"""

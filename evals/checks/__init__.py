"""Measures one check of a gate: the candidate's own value, or candidate against baseline, with an interval.

In: a `Check` and the results of one or two models. Out: a `Measurement`; whether that passes is the gate's decision.
Begin with `kinds`, the table of all kinds of check, and `comparison.measure` and `compare`. `methods` picks the method of
`evals.stats` for each family of metric, `feasibility` says how few cases can ever pass.
"""

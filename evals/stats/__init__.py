"""The gate's arithmetic: intervals, paired tests, interim looks, power. Pure functions on numpy arrays.

In: arrays of scores, counts or labels. Out: `Interval`, test results, sample sizes. No files, no clock, and no randomness
but that of a generator passed in. It is flat on purpose: one file for each family of methods, and none of them has state.
Begin with `score_intervals`, which picks the method for scores of every shape, then `bounded` and `sequential`.
"""

"""Frozen baselines: the live model asked everything while it still answers, kept for good, signed, and carried elsewhere.

In: a target with a live model, and prompts from production if there are any. Out: answers that nothing prunes, on record
with a signed statement, and one file that another registry reads in. Begin with `freeze`; `asking` asks, `seal` keeps,
`archive` and `unpack` write and read the file, `advice` says when it is time.
"""

"""What is live, watched: drift from the record, and what regression runs say of the live model.

In: the registry, the platform, what applications read, and judged regression runs. Out: drifts, alerts, holds and
revocations on record; a repair only when a person asks for it. Begin with `drift` (what differs), `regression_outcome`
(what a regression run leads to) and `verify` (is the record itself true).
"""

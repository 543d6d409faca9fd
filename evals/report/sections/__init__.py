"""Words the parts of a report, one a module: headline, checks, slices, examples, cost, what to do next.

It is flat on purpose: a reader looks for a part by its name, and none of them has parts of its own.

In: `RunFacts`. Out: the records of texts that a `ReportView` is made of. Nothing is decided here: outcomes come from the
gate, and a check's state from its fields. Begin with `board`, the checks of a verdict; `check` words one of them with the
units of `thresholds` and the sentences of `reasons`.
"""

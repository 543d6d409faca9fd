"""Makes metrics of scores: one row a case, one column a grader, and from each column its point estimates.

In: an opened suite with responses and scores. Out: `ModelResults`, the form in which everything is judged, and estimates
by name. Intervals belong to `evals.checks` and `evals.stats`. Begin with `results`, the columns; `tabulation` fills them,
`estimates` knows every metric and how it is computed.
"""

"""From what is stored of a run to its report, and to what a terminal shows while it goes on.

In: a run's id. Out: report.html, .md, .json and .junit.xml in its folder. Begin with `gather`, which collects the facts
that `evals.report` lays out.
"""

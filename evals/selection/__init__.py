"""Chooses one of several candidates on a part of the suite, so that the rest can judge it as if nothing had been chosen.

In: suites, a rule for the split, and what the candidates of a field scored. Out: which cases choose and which judge, and
which candidate is chosen, with the way there. Begin with `split` (who judges) and `halving` (who is chosen);
`standing` says what a candidate scored. What holds for those that were not chosen is a rule of `evals.gate.tries`.
Nothing is asked here.
"""

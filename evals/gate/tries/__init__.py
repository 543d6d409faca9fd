"""What keeps the gate's promise beyond one run: tries are counted, candidates share a family, loosened gates are seen.

In: a verdict, and a count of tries from the ledger; two gates. Out: the verdict that may stand, and the differences. All of
it is pure. Begin with `rule.with_tries`.
"""

"""What is live, who decided it, on which evidence: runs, verdicts, answers, pointers, holds, and a chain of events.

In: facts, each with its actor and reason. Out: records; a write that contradicts what is stored is refused. Live pointers
change by compare-and-swap on their generation, in one transaction with its event. Begin with `store`, the one door;
`records` has the shapes, `switching` the ways to change what is live, `database/` the engine, `audit/` the checks.
It is flat on purpose: one file for each table or view of it, `audit/` and `database/` apart.
"""

"""What people are asked about a judged run, and their answers.

In: a stored verdict that is no PASS, the gate's rules for people, and answers from the command line, the review pages or
Prefect. Out: an answer on record, bound to what was judged, and a run that goes on or is closed. Begin with
`acceptance`, the rule that says when answers are enough; `questions` is what a person reads, `answers` takes an answer,
`expiry` closes what nobody answered. `suspend` (the only part with Prefect) waits without a process.
"""

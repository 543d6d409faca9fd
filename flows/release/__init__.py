"""Making a judged candidate live, or leaving the old model live and saying why.

In: a run with its verdict, the platform and the publishers of its target. Out: a `PromotionOutcome`; after a crash at any
point the same call goes on. Begin with `state_machine`, the order of the steps; `steps` does them, `clearance` says
whether it may, `undo` puts the old model back, `replace` is the way that keeps one deployment name.
"""

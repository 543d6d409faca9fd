"""Going back to an earlier model, at once and without a gate.

In: a target, and where wanted the name of a model. Out: the pointer, applications and automation's hold, changed
together; asked for again after a kill, the same rollback is finished. Begin with `target_rollback`; `rollback` is the act
itself, `earlier_models` finds which model a person means.
"""

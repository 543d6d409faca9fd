"""Works through the inbox: each message starts one flow run, or has one go on, and is let go of when that is done.

Begin with `dispatch`; `starting` has the rules for starting once and no more, `resume` for going on after an answer,
`stalled` finds runs whose process died.
"""

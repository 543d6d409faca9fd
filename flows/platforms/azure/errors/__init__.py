"""What the control plane's refusals mean: a response goes in, the error that a person reads comes out.

`explain` builds it; `meanings` is the table of codes, `details` reads what a message names (a policy, a lock, a role),
`capacity` and `quota_numbers` what it counts. `busy` knows which go away by waiting.
"""

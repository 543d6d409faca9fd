"""Plans a run before money is spent: the cases each check needs, the power a suite has, calls, cost and time.

In: a policy, its suites, and an earlier run where there is one. Out: a `GatePlan`. Begin with `plan.plan_gate`;
`scenarios` simulates all checks together, `past_run` reads cost and speed from an earlier run.
"""

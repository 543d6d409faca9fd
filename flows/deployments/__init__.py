"""Our own deployments: how they are named and tagged, and what an application notices while one gets another model.

In: a target, a run, a platform. Out: names and tags that are the same after a crash, and the lines of a preflight about
downtime and pausing. Begin with `identity`.
"""

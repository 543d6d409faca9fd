"""Keeping an account in order: what nobody needs any more is deleted, what a rollback may need is kept warm.

In: the registry and what stands on the platform. Out: deletions, one small question an hour to what is kept, and
problems in words. Only what carries our tags is touched. Begin with `sweep_target`.
"""

"""Prefect, and the local processes of a session: starting flow runs, locks, progress pages, alerts.

In: jobs that finished and calls of the flows. Out: flow runs, each trigger once; artifacts and events. Nothing here
knows what a verdict is. Begin with `triggers`, from a finished job to its one flow run.
"""

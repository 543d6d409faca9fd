"""Decides how fast an endpoint is asked, and when something is asked again.

In: the outcomes of requests and what the service says of its limits. Out: how many requests are in flight, how long to
wait, whether to retry. Begin with `retrying`, where retries are decided; `concurrency` finds how much the endpoint takes,
`rate_pacing` keeps to requests and tokens a minute, `backoff` reads waiting times.
"""

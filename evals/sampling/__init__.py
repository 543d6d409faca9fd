"""Asks models: endpoints and requests in, durable responses out.

Begin with `sampler.sample`, which asks every question, keeps every answer and accounts for all of it. What is asked is in
`request_spec`; `worker` asks one question until it is answered. `endpoint/` speaks the API, `pacing/` decides how fast and
how often, `journal/` keeps each answer on disk before it counts, `progress/` tells others how far a run is.
"""

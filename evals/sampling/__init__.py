"""Asks models: endpoints and requests in, durable responses out.

Begin with `sampler.sample`, which sends every request, saves every answer and accounts for all of it. A request is described
in `request_spec`; `worker` sends one until it is answered. `endpoint/` speaks the API, `pacing/` decides how fast and
how often, `journal/` keeps each answer on disk before it counts, `progress/` tells others how far a run is.
"""

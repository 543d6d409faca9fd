"""The review pages: read from the registry, rendered here, usable without a script.

In: the registry and a request. Out: HTML under a policy that runs no script. Everything shown is hostile text: models,
people and suites wrote it. Begin with `render`; the views say what each page shows.
"""

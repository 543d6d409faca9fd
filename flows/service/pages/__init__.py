"""The review pages: read from the registry, rendered here, usable without a script.

Everything shown is hostile text: models, people and suites wrote it. Begin with `render`.
"""

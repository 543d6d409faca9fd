"""Target files: a production use of a model, as its team describes it.

In: `targets/<name>.yaml`. Out: a `Target`, the platform and the publishers it names, or every problem of the file with
its line. Begin with `target`; `connections` opens what it names, `strategy` says how a winner takes its place.
"""

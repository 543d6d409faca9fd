"""Keeps every answer of a run on disk before it counts, and reads it back.

In: responses. Out: numbered segments of JSON lines for each role and suite, compressed once closed, and the set of keys
that are answered. A line torn by a kill is ignored. Begin with `journal`; `segments` knows the files, `fsync_thread` makes
lines durable.
"""

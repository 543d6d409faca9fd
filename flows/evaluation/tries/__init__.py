"""A run beside the others of its candidate: counted, compared with what they were judged by, its answers pooled with theirs.

In: an open run and its verdict. Out: the verdict with its count of tries, and what changed on record. Begin with `counted`.
"""

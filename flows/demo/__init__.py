"""`gatewright demo`: three fine-tunes of one target on the embedded platform, with servers of its own on this machine.

In: an empty home. Out: a story told in the terminal and a home full of runs to look at. Begin with `story`.
"""

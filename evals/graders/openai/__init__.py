"""Runs OpenAI's grader definitions from their own JSON: string_check, text_similarity, score_model, python, multi.

In: a definition, a case and a response. Out: a raw score in the grader's range, brought into [0, 1]. Begin with `base`:
templates, range and pass threshold are the same for all. `formula` evaluates `multi`, `sandbox` runs `python` in a child
process with limits.
"""

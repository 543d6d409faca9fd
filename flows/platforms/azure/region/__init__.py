"""What a region has for a model: deployment types, last days, fine-tuning; from its own list first, from tables else.

In: the account's list of models, the published tables, the target's own words. Out: lines of the preflight, and the types
that are offered. Pure; begin with `model_here`.
"""

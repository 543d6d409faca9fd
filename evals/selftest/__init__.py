"""Measures the gate itself: how often it passes a model that it should not, and how many calls looking early saves.

In: simulated models whose true difference is known, or one model's repeats as both sides (A/A). Out: rates, each with what
was promised. Everything goes through the real judge. Begin with `simulation`; `simulated_models` draws the answers,
`aa_test` compares a model with itself.
"""

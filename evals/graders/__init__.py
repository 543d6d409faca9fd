"""Turns responses into scores. Flat on purpose, one family of graders a file; `table.py` has every type a suite can name.

In: a suite's cases and a model's responses. Out: scores in [0, 1], labels, or *unscored* with a reason. `judges/` asks
other models, `openai/` runs OpenAI's grader definitions. Begin with `base.py`: what a grader is, and the rules all keep.
"""

"""Graders that ask another model: one answer by a rubric, or which of two answers is better.

In: a case, a response, and a `ModelClient`. Out: scores, or *unscored* with a code when the judge gives nothing that can
be read. A judge never judges its own answers, and what it reads is fenced. Begin with `llm_judge`; `judge_calls` says how
judges are asked and read, `label_scale` how people's labels are brought onto a judge's scale.
"""

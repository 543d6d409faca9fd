"""Runs an evaluation: asks suites of one or two models in rounds, grades the answers, and lays them out for the gate.

In: opened suites, connections to the models, and a run's folder. Out: answers and scores in that folder, and
`ModelResults` up to any look. Begin with `evaluation.Evaluation`; `rounds` says which case is asked when, `ordering` in
which order, `grading` and `score_store` make and keep the scores. The same folder opened again goes on where it stopped.
"""

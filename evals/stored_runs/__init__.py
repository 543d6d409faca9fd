"""Runs that are over, or still going on, for people who analyse them: a run's folder goes in, DataFrames come out.

Begin with `run.py` (`load_run`, `judge`); `tables.py` says which columns there are. Nothing here writes to the folder.
`suites_as_judged.py` keeps the suites that runs were judged by, so that they can be counted again after an edit.
"""

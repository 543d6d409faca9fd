"""Runs that are over, or still going on, for people who analyse them: a run's folder goes in, DataFrames come out.

Begin with `run.py` (`load_run`, `judge`); `tables.py` says which columns there are. Nothing here writes to the folder.
"""

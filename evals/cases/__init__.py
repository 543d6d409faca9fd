"""Reads a suite's folder: suite.yaml and its cases, whatever file they stand in.

In: a folder that people wrote. Out: a `Suite` with its cases rendered, and every problem with its file, line and field. The
cases stay on disk and are decoded one by one. Graders are unknown here. Begin with `suite_file.read_suite`; `reader` makes
one case of one row, `formats` gives rows of JSON lines, CSV and Parquet, `table` holds the cases.
"""

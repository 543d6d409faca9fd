"""Opens suites for use and looks after them: import, curation, human labels, overlap with training data.

In: a suite's folder, or a file of another tool to make one of. Out: an `OpenedSuite` with its graders, ready to be asked.
Begin with `opened.open_suite`; `leakage` and `overlap` find cases that a model may have been trained on, `curation` cuts
and cleans suites, `import_*` brings them in.
"""

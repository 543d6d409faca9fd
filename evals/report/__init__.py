"""The report of a run: facts in, words once, and one page for each kind of reader.

In: `facts.RunFacts`, plain records of what happened. Out: report.html, .md, .junit.xml and .json in the run's folder, and
the terminal's view. Begin with `view.build_view`, which words the facts by the modules of `sections/`; `formats/` lays the
same words out. `look_view`, `plan_view` and `selftest_view` show the rest of what a terminal shows.
"""

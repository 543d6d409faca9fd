"""Judges: results and a policy in, a verdict with a reason for every check out.

Judging is pure: no clock, no files, no network; the same evidence gives the same verdict. Only `policy` reads a gate file,
and only `look_store` writes: the looks of a run. A *look* is an interim analysis, see `looks`. Begin with `judge.judge`
and `take_look`; `examiner` examines one check, `decision` compares its measurement with the threshold, `explanations` puts
it into words. `validation` refuses, before anything is asked, a gate that its suites can't answer. Models that were live before take
part by `anchor`, `anchored`, `earlier_models` and `baseline_health`. It is flat on purpose: one file for each rule of judging.
"""

"""How all targets stand: what is live, how it is watched, until when it lives, what stands and costs, who is needed.

In: the registry, the target files and, unless told not to, the platforms, side by side with a time limit each. Out: one
`Status`, the record behind `gatewright status` and whatever else shows the same. Begin with `gather`; `recorded` reads
what is on record, `looking` what stands; `people`, `watching`, `going_back` and `ends` say what needs a person.
"""

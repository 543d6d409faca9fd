"""Asking what stands behind a connection, until it really answers, and what a refusal means.

A connection goes in; an answer, or an error that a person can act upon, comes out. `slot_client` sends one request,
`readiness` repeats it until the right model answers, `one_question` reports on a single one; `data_errors` explains
refusals of a data plane, in `service_words` stands how a service's own words are shown.
"""

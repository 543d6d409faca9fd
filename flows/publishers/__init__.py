"""Where applications read what is live: files, LiteLLM, Prefect variables, webhooks, Azure App Configuration.

In: a live pointer. Out: it is written, read back, and written again until both agree, or PublishError. Begin with
`base`, the four methods of a publisher; `table` has the kinds, `publish` retries.
"""

"""What hosts models: Azure OpenAI, OpenAI and servers that speak its API, and the embedded platform for tests and demos.

In: a target file's block and credentials of the environment. Out: a `HostingPlatform` that deploys, waits, answers and
deletes, with PlatformError for everything that goes wrong. Begin with `base`, which has all that a platform offers;
`table` has the names. `azure/` is one platform, `fine_tuning/` reads jobs of any of them, `asking/` asks models and
explains refusals.
"""

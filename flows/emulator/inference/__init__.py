"""The data plane: chat completions, responses and the list of models.

A request that names a deployment or a model comes in; a completion goes out, or the service's error. Begin with `chat`:
it finds what answers (`serving`), checks the body (`parameters`), passes rate limits and content filter (`pipeline`) and
asks the model (`generation`). `responses` does the same behind the other API.
"""

"""The small models: examples in, weights out; a prompt and a question in, an answer with its confidence out.

Begin with `heads.train_network`: one head for each system prompt, on `features` of the question and with linear
`classifiers`; `joint` decides the fields of a JSON answer together. `conversation` takes prompt and question out of chat
messages, `priors` answers for the base model, which was not trained, and `model_cache` loads weights. Weights are
pickles that name the modules of their classes: who moves one of these modules lets `model_cache` know its old name.
"""

"""The small models: examples in, weights out; a prompt and a question in, an answer with its confidence out.

Begin with `heads.train_network`: one head for each system prompt, on `features` of the question and with linear
`classifiers`; `joint` decides the fields of a JSON answer together. `priors` answers for the base model, which was not
trained; `model_cache` loads weights. Weights are pickles: they name these modules and their classes.
"""

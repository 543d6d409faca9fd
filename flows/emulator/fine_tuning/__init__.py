"""Files and fine-tuning jobs: training files in, trained models and their checkpoints out.

Begin with `jobs` (addresses) and `runner`, which takes a job through its statuses in the background and queues its
webhooks. `training_files` reads examples, `training` writes weights, `bodies` checks requests and `views` makes responses.
"""

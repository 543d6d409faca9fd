"""Fine-tuning jobs of any platform, through the OpenAI SDK.

In: the id of a job, model or checkpoint, or a signed webhook. Out: a `Candidate`, or a refusal that says what is not
finished or not known. Begin with `candidates`.
"""

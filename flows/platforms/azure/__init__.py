"""Azure OpenAI: deployments of an account, made through the control plane (`arm/`) and asked through the data plane.

In: the block `azure_openai` and Entra credentials. Out: the methods of a platform. Azure's words stay in this folder.
Begin with `azure_openai`; `deploying` makes a deployment stand, `preflight` looks before money is spent, `errors` says
what each code means and what to do, `region` what a region has for a model.
"""

"""Azure's control plane: deployments with their long-running operations, quota, models, regions and rights.

Requests below `/subscriptions/…` come in; ARM responses and `Deployment` documents go out. Begin with `routes`, then
`deployments` (addresses) and `writes` (changes). What a deployment is at a moment follows from its document and the
clock (`lifecycle`); `deployable`, `quota` and `change_rules` refuse what the service refuses; `views` makes the bodies.
"""

"""What every request passes: faults, accounts, credentials, api-versions; and the shapes of bodies, pages and errors.

A Starlette request comes in; a `Caller` or a `MintedToken` goes out, or a `ServiceError` that becomes the response. Begin
with `requests.authenticate` (data plane) and `auth.arm_caller` (control plane). `fault_injection` wraps the application.
"""

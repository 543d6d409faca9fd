"""Failures that end a sampling run, because going on would only burn the cases."""

from __future__ import annotations

from evals.errors import SamplingError
from evals.records import Endpoint

__all__ = ["EndpointGoneError", "UnreachableError", "fatal_error", "unreachable_error"]

_ADVICE = {
    "auth": "check that the credential belongs to this resource, has not expired and carries the role to call the model",
    "quota": "the account's own quota is used up: raise it or wait for the new period, then run again to resume",
    "address": "check the endpoint's base_url, model and api_version",
    "unavailable": "bring the model back into service, then run again to resume",
}
_ADVICE_BY_STATUS = {
    410: "its base model is retired: train on a newer base model",
    423: "the deployment is paused: have it answer again, then run again to resume",
}
_ADVICE_BY_CODE = {
    "authenticationtypedisabled": "this resource takes no keys: unset the key and sign in",
    "permissiondenied": "a role is missing: have the one assigned that may ask models, which takes some minutes to be seen",
}


class EndpointGoneError(SamplingError):
    """The deployment or model behind the endpoint is not there (any more); it may be deployed again.

    `endpoint` is the one that was asked.
    """

    def __init__(self, message: str, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        super().__init__(message)


class UnreachableError(SamplingError):
    """No connection could be made to the service in a whole call."""


def fatal_error(
    kind: str, endpoint: Endpoint, status: int, detail: str, *, code: str = ""
) -> SamplingError:
    """Return the error for a fatal answer: which endpoint, what it said, what to do. `detail` is already redacted."""
    answer = f"{endpoint.base_url} (model {endpoint.model}) answered {status}: {detail}"
    if kind == "gone":
        return EndpointGoneError(f"{answer} — the model is not deployed there (any more)", endpoint)
    advice = _ADVICE_BY_CODE.get(code.lower()) or _ADVICE_BY_STATUS.get(status) or _ADVICE[kind]
    return SamplingError(f"{answer} — {advice}")


def unreachable_error(endpoint: Endpoint, detail: str) -> UnreachableError:
    """Return the error for a service that no connection could ever be made to."""
    return UnreachableError(
        f"{endpoint.base_url} can't be reached: {detail} — check base_url, name resolution, proxy and network"
    )

"""Error responses of the emulated services, in the shapes of each plane.

ARM:     {"error": {"code", "message", "target", "details"}}
Azure:   {"error": {"code", "message"}}, `code` often the status as a string
OpenAI:  {"error": {"message", "type", "param", "code"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.emulator.state.documents import Flavour

__all__ = [
    "ServiceError",
    "arm_error",
    "bad_request",
    "data_plane_error",
    "deployment_not_found",
    "not_found",
    "route_not_found",
]


class ServiceError(Exception):
    """An error that the emulated service answers with. Raised anywhere below a handler; becomes the HTTP response."""

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})


def arm_error(
    status: int,
    code: str,
    message: str,
    *,
    target: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> ServiceError:
    """Build an error of the control plane."""
    error: dict[str, Any] = {"code": code, "message": message}
    if target is not None:
        error["target"] = target
    return ServiceError(status, {"error": error}, headers)


def data_plane_error(
    status: int,
    code: str | None,
    message: str,
    *,
    flavour: Flavour,
    kind: str | None = "invalid_request_error",
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> ServiceError:
    """Build an error of a data plane."""
    error: dict[str, Any] = {"message": message, "type": kind, "param": param, "code": code}
    if flavour == "azure" and param is None:
        error = {"code": code, "message": message}
    return ServiceError(status, {"error": error}, headers)


def bad_request(
    message: str, flavour: Flavour, *, param: str | None = None, code: str | None = None
) -> ServiceError:
    """Build the 400 for a body that the service does not take."""
    shown = code or ("invalidPayload" if flavour == "azure" and param is None else None)
    return data_plane_error(400, shown, message, flavour=flavour, param=param)


def not_found(what: str, key: str, flavour: Flavour) -> ServiceError:
    """Build the 404 for a missing file, job, endpoint and so on."""
    code = "resourceNotFound" if flavour == "azure" else None
    return data_plane_error(404, code, f"No such {what}: {key}", flavour=flavour, param="id")


def deployment_not_found() -> ServiceError:
    """Build the 404 of a deployment that is missing, has expired, or has not come through yet."""
    return data_plane_error(
        404,
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last"
        " 5 minutes, please wait a moment and try again.",
        flavour="azure",
    )


def route_not_found() -> ServiceError:
    """Build the 404 of a wrong path or of a dated api-version that does not exist."""
    return data_plane_error(404, "404", "Resource not found", flavour="azure")

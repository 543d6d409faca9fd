"""What the control plane answered, and whether it is the service's own word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from evals.errors import PlatformError
from evals.sampling.endpoint.error_bodies import decoded, is_web_page
from flows.platforms.azure.errors.busy import is_busy
from flows.platforms.azure.errors.explain import service_error

__all__ = ["ArmAnswer", "expired", "read_answer", "welcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmAnswer:
    """What the control plane answered: lower-cased header names, and the decoded body ({} when there is none, text when a refusal is no JSON)."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str | None:
        """The service's error code, None when there is none."""
        return service_error(self.body)[0]

    @property
    def busy(self) -> bool:
        """True when the service serialises writes to the account and another one is under way."""
        return is_busy(self.status, *service_error(self.body))


def read_answer(answer: httpx.Response) -> ArmAnswer:
    """Read an answer. Raises PlatformError for a good one that is a web page."""
    return ArmAnswer(status=answer.status_code, headers=answer.headers, body=_body(answer))


def welcome(answer: ArmAnswer, allow: frozenset[int]) -> bool:
    """True for a success, and for a refusal that the caller asked for: a proxy's page with that status is not it."""
    return answer.status < 300 or (answer.status in allow and not is_web_page(answer.body))


def expired(answer: ArmAnswer) -> bool:
    """True when a fresh token may help."""
    return answer.status == 401 and answer.code != "InvalidAuthenticationTokenTenant"


def _body(answer: httpx.Response) -> Any:
    """An object, or of a refusal whatever it is. What describes nothing as an object is not the service's."""
    body = decoded(answer.content)
    if answer.status_code >= 300 or isinstance(body, dict):
        return body
    page = is_web_page(body)
    if page or (body is not None and answer.request.method == "GET"):
        what = "a web page" if page else "something that is no object"
        raise PlatformError(
            f"{answer.url.host} answered with {what} where the control plane should stand",
            hint="a proxy or a sign-in page stands before it: check HTTPS_PROXY, NO_PROXY and 'arm_endpoint'",
        )
    return {}

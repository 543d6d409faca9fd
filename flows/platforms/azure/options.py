"""The target file's block `azure_openai`, read and checked; every problem of the block is told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from evals.addresses import checked, plain_address
from evals.codec import convert
from evals.errors import ConfigurationError, Problem, nearest
from evals.records import Price, Record
from flows.platforms.azure.arm.documents import SKUS, ModelSource
from flows.platforms.azure.arm.transport import ARM_API_VERSION, ARM_ENDPOINT
from flows.platforms.model_lifetimes import ModelDates, lifetime_problems

__all__ = ["FORMATS", "AzureOptions", "SourceOptions", "read_options"]

FORMATS = ("OpenAI", "Microsoft", "Mistral AI", "Meta", "Alibaba")
"""Formats of models that can be fine-tuned; any other is taken at its word."""
DATED_API_VERSION = "2024-10-21"
_BELOW_THE_ACCOUNT = re.compile(
    r"(?:/api/projects/[^/]+)?(?:/openai(?:/v1|/deployments/[^/]+)?(?:/chat/completions|/responses)?)?/*$",
    re.IGNORECASE,
)
"""What portals show after the address of an account: the path of its API, of a project, of one operation."""
_DATED = re.compile(r"^\d{4}-\d{2}-\d{2}(-preview)?$")


class SourceOptions(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The account that holds the model, and whose jobs are read.

    `subscription` and `resource_group` default to the target's own, `endpoint` to the account's usual address.
    """

    account: str
    endpoint: str | None = None
    resource_group: str | None = None
    subscription: str | None = None
    tenant: str | None = None


class AzureOptions(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Where the account is and how its data plane is spoken to.

    `endpoint` is the data plane's address, `https://<account>.openai.azure.com` unless given, as portals show it or
    without the path; `api` is 'v1' or 'dated',
    the latter with `api_version`; `content_policy` names a content filter policy of the account. `model_format`
    is what the control plane calls the kind of the models ('Alibaba'), looked up in the account's list unless given. `prices`
    overrides the price table, by model id or base model; `lifetimes` the dates of models, likewise; `offered` adds deployment
    types that fine-tunes of a base model have in the account's region. `deploy_within_s` is how long the control plane
    may take to make a deployment, 45 minutes when left out, `ready_within_s` how long that may then take to answer, 20 minutes.
    """

    subscription: str
    resource_group: str
    account: str
    tenant: str | None = None
    endpoint: str | None = None
    api: Literal["v1", "dated"] = "v1"
    api_version: str = DATED_API_VERSION
    arm_endpoint: str = ARM_ENDPOINT
    arm_api_version: str = ARM_API_VERSION
    content_policy: str | None = None
    model_format: str | None = None
    source: SourceOptions | None = None
    prices: dict[str, Price] = msgspec.field(default_factory=dict)
    lifetimes: dict[str, ModelDates] = msgspec.field(default_factory=dict)
    offered: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    ready_within_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    deploy_within_s: Annotated[float, msgspec.Meta(gt=0)] | None = None

    @property
    def account_id(self) -> str:
        """The account's ARM id."""
        return _account_id(self.subscription, self.resource_group, self.account)

    @property
    def data_endpoint(self) -> str:
        """Address of the data plane, without a slash at its end."""
        return _account_address(self.endpoint or f"https://{self.account}.openai.azure.com")

    @property
    def training_endpoint(self) -> str:
        """Address of the data plane where models are trained: the source account's when there is one."""
        if self.source is None:
            return self.data_endpoint
        given = self.source.endpoint or f"https://{self.source.account}.openai.azure.com"
        return _account_address(given)

    @property
    def model_source(self) -> ModelSource | None:
        """The source account as the control plane names it, None when the model is in the same account."""
        if self.source is None:
            return None
        account = _account_id(
            self.source.subscription or self.subscription,
            self.source.resource_group or self.resource_group,
            self.source.account,
        )
        if account.lower() == self.account_id.lower():
            return None  # the resource manager compares names in any letter case
        foreign = self.source.tenant if self.source.tenant != self.tenant else None
        return ModelSource(account_id=account, tenant=foreign)


def read_options(options: Mapping[str, Any], *, where: str = "azure_openai") -> AzureOptions:
    """Read the block. Raises ConfigurationError naming every unknown, missing and ill-typed key."""
    problems = [
        *_unknown(options, AzureOptions, where),
        *_missing(options, where),
        *lifetime_problems(options.get("lifetimes") or {}, where),
        *_unknown_types(options.get("offered") or {}, where),
    ]
    if problems:
        raise ConfigurationError(problems)
    try:
        read = convert(dict(options), AzureOptions)
    except msgspec.ValidationError as error:
        told, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`") or None
        raise ConfigurationError(Problem(where=where, field=field, message=told)) from error
    source = read.source and read.source.endpoint
    for field, address in (
        ("endpoint", read.endpoint),
        ("source.endpoint", source),
        ("arm_endpoint", read.arm_endpoint),
    ):
        if address:
            checked(address, where=where, field=field, secure=True)
    if read.api == "dated" and not _DATED.match(read.api_version):
        raise ConfigurationError(
            Problem(
                where=where,
                field="api_version",
                message=f"expected a date such as {DATED_API_VERSION!r}; found {read.api_version!r}",
                fix="with 'api: v1' no version is needed",
            )
        )
    if (meant := _misspelt_format(read.model_format)) is not None:
        message = f"expected {meant!r}; found {read.model_format!r}"
        fix = "the service tells capitals apart, and answers 500 to a format it does not know"
        raise ConfigurationError(
            Problem(where=where, field="model_format", message=message, fix=fix)
        )
    return read


def _account_address(given: str) -> str:
    """The address that paths are put behind: without those that portals show along with it, and without its query."""
    parts = urlsplit(plain_address(given))
    return parts._replace(
        path=_BELOW_THE_ACCOUNT.sub("", parts.path), query="", fragment=""
    ).geturl()


def _misspelt_format(given: str | None) -> str | None:
    """A known format that differs from what is given in its letter case alone."""
    lower = (given or "").lower()
    return next((one for one in FORMATS if one.lower() == lower and one != given), None)


def _account_id(subscription: str, group: str, account: str) -> str:
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.CognitiveServices/accounts/{account}"
    )


def _unknown(options: Mapping[str, Any], kind: type[Record], where: str) -> list[Problem]:
    valid = kind.__struct_fields__
    return [
        Problem(where=where, field=str(key), message="unknown key", fix=nearest(str(key), valid))
        for key in options
        if key not in valid
    ]


def _unknown_types(offered: object, where: str) -> list[Problem]:
    """Deployment types that don't exist; what has another form altogether is told when the block is read."""
    if not isinstance(offered, Mapping):
        return []
    return [
        Problem(
            where=where,
            field=f"offered.{model}",
            message=f"expected deployment types; found {sku!r}",
            fix=nearest(str(sku), SKUS),
        )
        for model, skus in offered.items()
        if isinstance(skus, list)
        for sku in skus
        if sku not in SKUS
    ]


def _missing(options: Mapping[str, Any], where: str) -> list[Problem]:
    return [
        Problem(where=where, field=key, message="expected a name; found nothing")
        for key in ("subscription", "resource_group", "account")
        if not options.get(key)
    ]

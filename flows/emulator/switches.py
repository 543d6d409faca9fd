"""The switches: everything about the emulated services that is uncertain, optional, slow or unkind.

Each field is a switch with its default; they can be set by `--switch name=value`, by `--switches file.json` and by
`POST /_emulator/switches`. Numbers in brackets point to the checklist of behaviours that the tests go through.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from evals.codec import convert
from evals.records import Record
from flows.emulator.gateway.refusals import REFUSALS

__all__ = ["AccountSpec", "Fault", "ModelDay", "Switches", "changed", "profile"]


ModelDay = Literal["training_ends", "base_inference_ends", "fine_tunes_end"]


class AccountSpec(Record, frozen=True, kw_only=True):
    """An account that exists besides the default one; `tenant` owns its subscription."""

    name: str
    subscription: str = "00000000-0000-0000-0000-000000000000"
    resource_group: str = "embedded"
    location: str = "swedencentral"
    tenant: str = "00000000-0000-0000-0000-00000000aaaa"


class Fault(Record, frozen=True, kw_only=True):
    """An injected failure: requests whose `METHOD /path` contains `match` meet it with probability `rate`.

    `times` ends it after so many hits; `skip` lets the first matching requests pass. For 'status', `status` is answered
    with `code`, or with `body` where there is one, a text as it is and anything else as JSON; `retry_after` is the
    header, in seconds or as a text, or None for no header. For 'refusal', `code` names one of the control plane's refusals.
    `latency_s` is for 'latency' and 'hang'.
    """

    match: str
    kind: Literal["status", "refusal", "throttle", "reset", "cut", "latency", "hang"] = "status"
    rate: float = 1.0
    times: int | None = None
    skip: int = 0
    status: int = 500
    code: str | None = None
    body: Any = None
    retry_after: int | float | str | None = None
    latency_s: float = 0.0


class Switches(Record, frozen=True, kw_only=True):
    """All switches with their defaults. Durations are seconds of the emulator's clock unless named otherwise."""

    flavour: Literal["path", "azure", "openai"] = "path"  # whose shapes an answer has
    seed: int = 0  # of everything that happens at some rate

    # deployments (1-4, 6-8)
    provisioning_s: float = 0.4  # a PUT is Creating so long
    provisioning_outcome: Literal["Succeeded", "Failed", "Canceled"] = "Succeeded"
    provisioning_outcome_match: str = ""  # only deployments whose name contains this end so
    first_state: Literal["Creating", "Accepted"] = "Creating"
    arm_retry_after_s: int = 1  # Retry-After of long-running operations
    arm_page_size: int = 100  # deployments in one page of the list
    deleting_s: float = 0.3  # a DELETE takes so long
    update_s: float = 0.4  # an in-place change takes so long; the old model serves meanwhile
    patch_style: Literal["200", "202"] = "200"
    patch_tags: Literal["merge", "replace"] = "replace"
    # another model in place: ModelUpgradeNotSupported, CannotChangeDeploymentModel, or 200
    retarget_finetuned: Literal["refuse", "legacy", "allow"] = "refuse"
    # the name that a deployment of a checkpoint shows: as asked, its own model's, or its job's
    checkpoint_echo: Literal["id", "model", "job"] = "id"
    echo_letters: Literal["as_sent", "lower"] = "as_sent"  # of that name, and of all others
    identical_put: Literal["accept", "refuse"] = "accept"  # the same fine-tuned model again
    sku_change: Literal["refuse", "allow"] = "refuse"  # another deployment type in place
    serialise_writes: bool = True  # 409 while another write of the account is under way
    conflict_retry_after_s: int | None = None  # Retry-After of that 409
    dataplane_lag_s: float = 0.2  # 404 so long after Succeeded
    stale_serving_s: float = 0.0  # the old model answers so long under a name made again

    # quota (5, 6)
    # usage row -> limit, over the defaults
    quota_limits: dict[str, int] = msgspec.field(default_factory=dict)
    finetuned_deployments_limit: int = 10  # in a subscription and region
    quota_release_s: float = 15.0  # after a deletion
    default_capacity: int = 1  # when the sku has none

    # lifetimes (9, 10, 11)
    developer_hours: float = 24.0  # DeveloperTier is removed then
    developer_removal_lag_s: float = 0.0  # or so much later
    idle_days: float = 15.0  # other fine-tuned deployments go after so many days without a call
    pause_refusal_code: str = "OperationNotSupported"  # of pausing a DeveloperTier deployment
    paused_code: str = "DeploymentPaused"  # of the 423
    resume_lag_s: float = 0.0  # still 423 so long after a resume
    resume_shown_lag_s: float = 0.0  # still shown as paused so long after a resume

    # models and catalogue
    # checkpoints that no list shows though they deploy, as copied ones; "*": none is shown
    unlisted_checkpoints: tuple[str, ...] = ()
    deprecating_models: tuple[str, ...] = ()  # new base deployments blocked
    retired_models: tuple[str, ...] = ()  # untuned: calls answer 410, deployments refused
    retired_fine_tunes: tuple[str, ...] = ()  # base models whose fine-tunes are gone, too
    # base model, its full name or "*" -> days over the published ones, null for never: training_ends,
    # base_inference_ends, fine_tunes_end
    model_dates: dict[str, dict[ModelDay, str | None]] = msgspec.field(default_factory=dict)
    # deployment type -> base models whose fine-tunes have it in every region, beside the catalogue
    also_offered: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    list_fine_tunes: bool = True  # in the account's list of models; False: base models only
    fine_tune_dates: Literal["own", "base"] = "own"  # of a fine-tune in that list
    cross_region_needs_fine_tuning: bool = True  # in the region a model is brought to
    # else source within, sourceAccount across tenants
    source_and_account_interchangeable: bool = True

    # api-versions (17, 19)
    unknown_api_version: Literal["refuse", "accept"] = "refuse"
    tolerated_api_versions: tuple[str, ...] = ()  # such as 2024-10-21
    v1_dated_api_version: Literal["refuse", "accept"] = "refuse"

    # rights (18); tokens with other rights are given out by POST /_emulator/tokens
    # pausing and resuming: actions of their own, or what writing takes
    pause_right: Literal["own_action", "write"] = "own_action"
    key_auth: bool = True  # False: the Azure data plane takes tokens only
    accounts: tuple[AccountSpec, ...] = ()  # besides the default one

    # inference
    latency_ms: tuple[float, float] = (5.0, 15.0)  # least and most, wall clock
    base_invalid_json_rate: float = 0.08  # the base model's answers that are no valid JSON
    base_keeps_json_mode: bool = False  # True: none of them when response_format asks for JSON
    echo_model: Literal["model_id", "base", "deployment"] = "model_id"  # `model` of an answer
    # content_filter_results on Azure
    filter_annotations: Literal["present", "absent", "mix"] = "present"
    system_fingerprint: bool = True  # False: null
    fingerprint_suffix: str = ""  # another one, as after a change inside of the service
    varied_answer_rate: float = 0.0  # calls that read the second half of the question alone
    cached_token_rate: float = 0.0  # requests whose prompt tokens are (mostly) cached ones
    request_limit: int = 2_000_000  # bytes of a body, else 413
    context_tokens: int = 128_000  # else context_length_exceeded

    # rate limits (12)
    enforce_rate_limits: bool = False  # by the deployment's capacity
    # a minute and capacity unit, fine-tuned; base models have six times that
    requests_per_unit: float = 1.0
    tokens_per_unit: float = 1000.0
    throttle_rate: float = 0.0  # requests that meet a 429 anyway
    throttle_style: Literal[
        "mix", "retry-after", "retry-after-ms", "missing", "minus-one", "day"
    ] = "mix"
    throttle_code: Literal["429", "RateLimitReached"] = "429"

    # content filter (13)
    filter_prompt_rate: float = 0.0  # prompts answered with 400
    filter_output_rate: float = 0.0  # answers with finish_reason content_filter
    filter_phrases: tuple[str, ...] = ()  # a prompt that contains one is always filtered
    filter_style: Literal["mix", "innererror", "inner_error", "plural", "absent"] = "mix"

    # files and jobs (14)
    file_processing_s: float = 0.05  # an Azure file is pending so long
    pending_s: float = 0.05  # how long a job stays in each status
    validating_s: float = 0.05
    queued_s: float = 0.05
    running_s: float = 0.2  # at least; the training itself takes what it takes
    running_jobs: int = 3  # at once; read when the emulator starts
    minimum_examples: int = 10
    # of a healthy Azure job
    job_error_style: Literal["missing", "empty", "null", "nulls"] = "missing"
    openai_model_lag_s: float = 0.0  # model_not_found so long after success

    # webhooks (15)
    webhook_duplicate_rate: float = 0.0  # sent again with the same id
    webhook_late_s: float = 0.0
    webhook_shuffle: bool = False  # out of order, within half a second
    webhook_retry_s: float = 0.5  # first pause before another try, then doubled
    webhook_give_up_s: float = 72 * 3600.0
    webhook_timestamp_skew_s: float = 0.0  # added to the signed timestamp
    webhook_timeout_s: float = 10.0
    # as during a rotation, the first one with an unknown secret
    webhook_two_signatures: bool = False

    faults: tuple[Fault, ...] = ()


def changed(switches: Switches, changes: dict[str, Any]) -> Switches:
    """Return the switches with some of them changed. Raises msgspec.ValidationError naming what does not fit."""
    merged = {**msgspec.to_builtins(switches), **changes}
    made = convert(merged, Switches, strict=False)
    for fault in made.faults:
        if fault.kind == "refusal" and fault.code not in REFUSALS:
            raise msgspec.ValidationError(
                f"expected a refusal's code, one of {', '.join(REFUSALS)}; found {fault.code!r} - at `$.faults`"
            )
    return made


def profile(name: Literal["calm", "mix"]) -> Switches:
    """Return 'calm' (the defaults) or 'mix': throttling, content filters and unruly webhooks in small doses."""
    if name == "calm":
        return Switches()
    return Switches(
        throttle_rate=0.05,
        filter_prompt_rate=0.01,
        filter_output_rate=0.01,
        filter_annotations="mix",
        webhook_duplicate_rate=0.3,
        webhook_late_s=1.0,
        webhook_shuffle=True,
    )

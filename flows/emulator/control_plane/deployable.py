"""Which models can be deployed where: base models, fine-tuned models and checkpoints, own ones and other accounts'.

Raises the errors of the control plane: DeploymentModelNotSupported, InvalidResourceProperties, LinkedAuthorizationFailed,
InvalidAuthenticationTokenTenant, InternalServerError for a wrong format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flows.emulator.control_plane.catalogue import TRAINING_REGIONS, BaseModel, find_base
from flows.emulator.control_plane.retirement import base_has_ended, fine_tunes_have_ended
from flows.emulator.gateway.accounts import Account, from_resource_id, same_name
from flows.emulator.gateway.auth import allowed, auxiliary_callers
from flows.emulator.gateway.errors import ServiceError, arm_error
from flows.emulator.state.documents import Checkpoint, MintedToken, ModelRef, TunedModel
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Deployable", "check_sku", "offered_skus", "resolve_model", "tuned_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployable:
    """A model that can be deployed; `tuned` is None for a base model."""

    base: BaseModel
    tuned: TunedModel | None


def resolve_model(
    state: EmulatorState,
    account: Account,
    model: ModelRef,
    *,
    caller: MintedToken,
    headers: Mapping[str, str],
) -> Deployable:
    """Find the model that a deployment asks for. Raises a ServiceError."""
    tuned = tuned_model(state, model.name)
    named = find_base(tuned.base if tuned else model.name)
    if model.format != (named.format if named else "OpenAI"):
        raise arm_error(
            500, "InternalServerError", "An internal error occurred while processing the request."
        )
    if tuned is None:
        return _base_model(state, model)
    if model.version not in (None, "", "1"):
        raise _not_supported(model)
    _check_source(state, account, model, tuned, caller=caller, headers=headers)
    base = find_base(tuned.base)
    if base is None or fine_tunes_have_ended(state, base):
        raise _not_supported(model)
    return Deployable(base=base, tuned=tuned)


def tuned_model(state: EmulatorState, name: str) -> TunedModel | None:
    """Find a fine-tuned model by its id, or by the id of one of its checkpoints."""
    checkpoint = state.store.get(Checkpoint, name)
    model = state.store.get(TunedModel, checkpoint.model if checkpoint else name)
    if model is None or model.flavour != "azure":
        return None
    if model.step is not None and checkpoint is None:
        return None  # an earlier step is deployed by its ftchkpt id only
    return model


def offered_skus(
    state: EmulatorState, base: BaseModel, location: str, *, fine_tuned: bool
) -> tuple[str, ...]:
    """Return the deployment types that a base model, or its fine-tunes, have in a region."""
    more = [sku for sku, bases in state.switches.also_offered.items() if base.name in bases]
    offered = base.skus(location, fine_tuned=fine_tuned)
    return tuple(dict.fromkeys([*offered, *(more if fine_tuned else ())]))


def check_sku(
    state: EmulatorState, location: str, model: ModelRef, found: Deployable, sku: str
) -> None:
    """Raise 400 InvalidResourceProperties unless the model has this deployment type in the region."""
    if sku not in offered_skus(state, found.base, location, fine_tuned=found.tuned is not None):
        raise arm_error(
            400,
            "InvalidResourceProperties",
            f"The specified SKU '{sku}' for model '{model.name}' is not supported in this region '{location}'.",
        )


def _base_model(state: EmulatorState, model: ModelRef) -> Deployable:
    base = find_base(model.name, model.version)
    if base is None or model.name != base.name or base_has_ended(state, base):
        raise _not_supported(model)
    if base.name in state.switches.deprecating_models:
        raise arm_error(
            400,
            "ServiceModelDeprecating",
            f"The model '{base.name}', Version:'{base.version}' is deprecating; new deployments are not accepted.",
        )
    return Deployable(base=base, tuned=None)


def _check_source(
    state: EmulatorState,
    account: Account,
    model: ModelRef,
    tuned: TunedModel,
    *,
    caller: MintedToken,
    headers: Mapping[str, str],
) -> None:
    if tuned.account == account.key:
        return
    source = _source_account(state, account, model)
    if source is None or source.key != tuned.account or not _may_come(state, account, source):
        raise _not_supported(model)
    if same_name(source.spec.tenant, account.spec.tenant):
        reader = caller
    else:
        reader = _auxiliary(state, source, headers)
    if not allowed(reader, "accounts/deployments/write", source.resource_id):
        raise arm_error(
            403,
            "LinkedAuthorizationFailed",
            f"The client '{reader.name}' has permission to perform action"
            " 'Microsoft.CognitiveServices/accounts/deployments/write' on the deployment; however, it does not have"
            f" permission on the linked scope '{source.resource_id}' or the linked scope is invalid.",
        )


def _may_come(state: EmulatorState, account: Account, source: Account) -> bool:
    """A model can be brought to another region only if that has fine-tuning, too."""
    here, needed = account.spec.location, state.switches.cross_region_needs_fine_tuning
    return not needed or here == source.spec.location or here in TRAINING_REGIONS


def _source_account(state: EmulatorState, account: Account, model: ModelRef) -> Account | None:
    either = state.switches.source_and_account_interchangeable
    for field in ("source", "sourceAccount"):
        found = from_resource_id(state.switches, getattr(model, field) or "")
        if found is None:
            continue
        cross_tenant = not same_name(found.spec.tenant, account.spec.tenant)
        if either or cross_tenant == (field == "sourceAccount"):
            return found
    return None


def _auxiliary(state: EmulatorState, source: Account, headers: Mapping[str, str]) -> MintedToken:
    for one in auxiliary_callers(state, headers):
        if same_name(one.tenant, source.spec.tenant):
            return one
    raise arm_error(
        401,
        "InvalidAuthenticationTokenTenant",
        f"The linked resource '{source.resource_id}' is in the tenant '{source.spec.tenant}'; a token of that tenant is"
        " needed in the header 'x-ms-authorization-auxiliary'.",
        headers={
            "WWW-Authenticate": f'Bearer authorization_uri="https://login.microsoftonline.com/{source.spec.tenant}"'
        },
    )


def _not_supported(model: ModelRef) -> ServiceError:
    return arm_error(
        400,
        "DeploymentModelNotSupported",
        f"The model 'Format: {model.format}, Name: {model.name}, Version: {model.version or ''}, Source:"
        f" {model.source or ''}, SourceAccount: {model.sourceAccount or ''}' of account deployment is not supported.",
    )

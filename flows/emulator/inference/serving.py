"""Which model serves a request, by the name in it; and the errors of names that no model serves."""

from __future__ import annotations

from dataclasses import dataclass

from flows.emulator.control_plane.catalogue import find_base
from flows.emulator.control_plane.deployable import tuned_model
from flows.emulator.control_plane.lifecycle import answers_paused, find_deployment, served_model
from flows.emulator.control_plane.retirement import base_has_ended, fine_tunes_have_ended
from flows.emulator.gateway.errors import ServiceError, data_plane_error, deployment_not_found
from flows.emulator.gateway.requests import Caller
from flows.emulator.state.documents import Deployment, ModelRef, TunedModel
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Serving", "resolve"]

_USE_STORED_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The model that answers: `artifact` is None for a base model."""

    account: str
    model_id: str
    base: str
    artifact: str | None
    deployment: Deployment | None

    @property
    def reasoning(self) -> bool:
        """True for the o-series, which takes fewer parameters."""
        return self.base.startswith("o")


def resolve(state: EmulatorState, caller: Caller, name: str) -> Serving:
    """Return what answers under a deployment's name (Azure) or model id (OpenAI). Raises 404, 410 or 423."""
    if caller.style == "openai":
        return _by_model_id(state, caller, name)
    deployment = find_deployment(state, caller.account.key, name)
    model = served_model(state, deployment) if deployment else None
    if deployment is None or model is None:
        raise deployment_not_found()
    if answers_paused(state, deployment):
        raise data_plane_error(
            423,
            state.switches.paused_code,
            "The deployment is paused; resume it to use it again.",
            flavour="azure",
        )
    _record_use(state, deployment)
    return _serving(state, caller.account.key, model, deployment)


def _serving(
    state: EmulatorState, account: str, model: ModelRef, deployment: Deployment
) -> Serving:
    tuned = tuned_model(state, model.name)
    base = find_base(tuned.base if tuned else model.name, None if tuned else model.version)
    if base is None or (tuned is None and not _is_base(model)):
        raise deployment_not_found()
    if (fine_tunes_have_ended if tuned else base_has_ended)(state, base):
        name = tuned.id if tuned else base.full_name
        raise data_plane_error(
            410, "ModelRetired", f"The model '{name}' has been retired.", flavour="azure"
        )
    return Serving(
        account=account,
        model_id=tuned.id if tuned else base.full_name,
        base=base.full_name,
        artifact=tuned.artifact if tuned else None,
        deployment=deployment,
    )


def _is_base(model: ModelRef) -> bool:
    base = find_base(model.name)
    return base is not None and base.name == model.name


def _by_model_id(state: EmulatorState, caller: Caller, name: str) -> Serving:
    tuned = state.store.get(TunedModel, name)
    if tuned is not None and tuned.flavour == "openai" and tuned.account == caller.account.key:
        if state.clock.now() < tuned.created_at + state.switches.openai_model_lag_s:
            raise _model_not_found(name)
        base = find_base(tuned.base)
    else:
        tuned, base = None, find_base(name)
    if base is None or (fine_tunes_have_ended if tuned else base_has_ended)(state, base, "openai"):
        raise _model_not_found(name)
    return Serving(
        account=caller.account.key,
        model_id=tuned.id if tuned else base.full_name,
        base=base.full_name,
        artifact=tuned.artifact if tuned else None,
        deployment=None,
    )


def _model_not_found(name: str) -> ServiceError:
    return data_plane_error(
        404,
        "model_not_found",
        f"The model `{name}` does not exist or you do not have access to it.",
        flavour="openai",
    )


def _record_use(state: EmulatorState, deployment: Deployment) -> None:
    now = state.clock.now()
    if now - deployment.last_used_at > _USE_STORED_EVERY_S:
        deployment.last_used_at = now
        state.store.put(deployment)

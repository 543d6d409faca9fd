"""The Models API of the data planes: base and fine-tuned models; deleting a fine-tuned one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.control_plane.catalogue import BASE_MODELS, BaseModel
from flows.emulator.control_plane.lifecycle import deployed_anywhere
from flows.emulator.control_plane.retirement import last_days
from flows.emulator.gateway.errors import data_plane_error
from flows.emulator.gateway.requests import Caller, authenticate, json_response
from flows.emulator.state.documents import Flavour, TunedModel
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Models"]


class Models:
    """Handlers below `/models`."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state

    async def list(self, request: Request) -> Response:
        """GET /models."""
        caller = authenticate(self.state, request, "data/infer")
        data = [self._base(one.full_name, one, caller.flavour) for one in BASE_MODELS]
        data += [_tuned(one) for one in self._mine(caller)]
        return json_response({"object": "list", "data": data})

    async def get(self, request: Request) -> Response:
        """GET /models/{id}."""
        caller = authenticate(self.state, request, "data/infer")
        key = request.path_params["model"]
        for base in BASE_MODELS:
            if key in (base.name, base.full_name):
                return json_response(self._base(key, base, caller.flavour))
        return json_response(_tuned(self._find(caller, key)))

    async def delete(self, request: Request) -> Response:
        """DELETE /models/{id}; refused while the model is deployed."""
        caller = authenticate(self.state, request, "data/train")
        model = self._find(caller, request.path_params["model"])
        if deployed_anywhere(self.state, model):
            raise data_plane_error(
                409,
                "operationNotSupported",
                f"The model '{model.id}' is deployed; delete its deployments first.",
                flavour=caller.flavour,
            )
        self.state.store.delete(TunedModel, model.id)
        return json_response({"id": model.id, "object": "model", "deleted": True})

    def _base(self, name: str, base: BaseModel, flavour: Flavour) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": name,
            "object": "model",
            "created": 1_744_588_800,
            "owned_by": "system",
        }
        if flavour == "openai":
            return {**shown, "shutdown_date": last_days(self.state, base, flavour).base}
        return {
            **shown,
            "status": "succeeded",
            "lifecycle_status": "generally-available",
            "capabilities": {"fine_tune": True, "inference": True, "chat_completion": True},
        }

    def _mine(self, caller: Caller) -> Sequence[TunedModel]:
        return [
            one
            for one in self.state.store.all(TunedModel)
            if one.account == caller.account.key and one.flavour == caller.flavour
        ]

    def _find(self, caller: Caller, key: str) -> TunedModel:
        for one in self._mine(caller):
            if one.id == key:
                return one
        code = "model_not_found" if caller.flavour == "openai" else "resourceNotFound"
        raise data_plane_error(
            404, code, f"The model '{key}' does not exist", flavour=caller.flavour, param="model"
        )


def _tuned(model: TunedModel) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": model.id,
        "object": "model",
        "created": int(model.created_at),
        "owned_by": "embedded",
    }
    if model.flavour == "openai":
        return {**shown, "shutdown_date": None}
    return {**shown, "status": "succeeded", "model": model.base, "fine_tune": model.job}

"""The Evals API: definitions (`/evals`), as far as clients of runs need them."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.errors import bad_request, not_found
from flows.emulator.requests import json_body, page, reply, who
from flows.emulator.state.documents import Document, Flavour
from flows.emulator.state.world import EmulatorState

__all__ = ["EvalDefinition", "Evals", "find_eval"]

_CRITERIA = ("label_model", "string_check", "text_similarity", "python", "score_model")
_OPERATIONS = ("eq", "ne", "like", "ilike")


class EvalDefinition(Document, kw_only=True):
    """A stored eval."""

    account: str
    name: str
    created_at: float
    metadata: dict[str, str]
    data_source_config: dict[str, Any]
    testing_criteria: list[dict[str, Any]]


class Evals:
    """Handlers of `/evals` and `/evals/{eval}`."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world

    async def create(self, request: Request) -> Response:
        """POST /evals: 201 on Azure, 200 on OpenAI."""
        caller = who(self.world, request, "data/infer")
        body = await json_body(self.world, request, caller.flavour)
        definition = EvalDefinition(
            id=f"eval_{secrets.token_hex(12)}",
            account=caller.account.key,
            name=str(body.get("name") or ""),
            created_at=self.world.clock.now(),
            metadata=body.get("metadata") or {},
            data_source_config=_config(body.get("data_source_config"), caller.flavour),
            testing_criteria=_criteria(body.get("testing_criteria"), caller.flavour),
        )
        self.world.store.put(definition)
        return reply(_shown(definition), 201 if caller.flavour == "azure" else 200)

    async def list(self, request: Request) -> Response:
        """GET /evals, oldest first."""
        caller = who(self.world, request, "data/infer")
        mine = [
            one for one in self.world.store.all(EvalDefinition) if one.account == caller.account.key
        ]
        chosen, more = page(mine, request, key=lambda one: one.id)
        return reply({"object": "list", "data": [_shown(one) for one in chosen], "has_more": more})

    async def get(self, request: Request) -> Response:
        """GET /evals/{eval}."""
        return reply(_shown(find_eval(self.world, request)[1]))

    async def update(self, request: Request) -> Response:
        """POST /evals/{eval}: name and metadata only."""
        flavour, definition = find_eval(self.world, request)
        body = await json_body(self.world, request, flavour)
        definition.name = body.get("name", definition.name)
        definition.metadata = body.get("metadata", definition.metadata)
        self.world.store.put(definition)
        return reply(_shown(definition))

    async def delete(self, request: Request) -> Response:
        """DELETE /evals/{eval}."""
        _, definition = find_eval(self.world, request)
        self.world.store.delete(EvalDefinition, definition.id)
        return reply({"object": "eval.deleted", "deleted": True, "eval_id": definition.id})


def find_eval(world: EmulatorState, request: Request) -> tuple[Flavour, EvalDefinition]:
    """Return the eval that a path names. Raises 404."""
    caller = who(world, request, "data/infer")
    key = request.path_params["eval"]
    definition = world.store.get(EvalDefinition, key)
    if definition is None or definition.account != caller.account.key:
        raise not_found("eval", key, caller.flavour)
    return caller.flavour, definition


def _shown(definition: EvalDefinition) -> dict[str, Any]:
    return {
        "object": "eval",
        "id": definition.id,
        "name": definition.name,
        "created_at": int(definition.created_at),
        "metadata": definition.metadata,
        "data_source_config": definition.data_source_config,
        "testing_criteria": definition.testing_criteria,
    }


def _config(config: Any, flavour: Flavour) -> dict[str, Any]:
    """Turn `item_schema` into the wrapped `schema` that the service answers with."""
    if not isinstance(config, dict) or config.get("type") not in (
        "custom",
        "logs",
        "stored_completions",
    ):
        raise bad_request(
            "'data_source_config.type' must be 'custom' or 'logs'.",
            flavour,
            param="data_source_config",
        )
    if config["type"] != "custom":
        return config
    if not isinstance(config.get("item_schema"), dict):
        raise bad_request(
            "Missing required parameter: 'data_source_config.item_schema'.",
            flavour,
            param="data_source_config",
        )
    properties: dict[str, Any] = {"item": config["item_schema"]}
    if config.get("include_sample_schema"):
        properties["sample"] = {"type": "object", "properties": {"output_text": {"type": "string"}}}
    return {
        "type": "custom",
        "schema": {"type": "object", "properties": properties, "required": list(properties)},
    }


def _criteria(criteria: Any, flavour: Flavour) -> list[dict[str, Any]]:
    if not isinstance(criteria, list) or not criteria:
        raise bad_request(
            "Missing required parameter: 'testing_criteria'.", flavour, param="testing_criteria"
        )
    for number, one in enumerate(criteria):
        where = f"testing_criteria[{number}]"
        kind = one.get("type") if isinstance(one, dict) else None
        if kind not in _CRITERIA:
            raise bad_request(
                f"Invalid value: '{kind}'. Supported: {list(_CRITERIA)}.", flavour, param=where
            )
        if kind == "string_check" and one.get("operation") not in _OPERATIONS:
            raise bad_request(
                f"'{where}.operation' must be one of {list(_OPERATIONS)}.", flavour, param=where
            )
        if kind == "text_similarity" and "pass_threshold" not in one:
            raise bad_request(
                f"Missing required parameter: '{where}.pass_threshold'.", flavour, param=where
            )
    return [{**one, "id": f"{one.get('name', one['type'])}-{uuid.uuid4()}"} for one in criteria]

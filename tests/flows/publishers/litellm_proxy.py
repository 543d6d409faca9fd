"""Runs the real LiteLLM proxy for a test, its database client replaced by a table in memory. Not a test itself.

    PYTHON_WITH_LITELLM litellm_proxy.py PORT CONFIG

LiteLLM keeps the models it is told of in PostgreSQL, through a client whose engine is a download of its own. Everything
else here is the proxy as it is installed: its admin API, its router, its way of finding keys.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any
from unittest.mock import AsyncMock


class Row:
    """A row as the database client gives it."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> None:
        return None

    def model_dump(self, **_: Any) -> dict[str, Any]:
        return dict(self.__dict__)

    def model_dump_json(self, **_: Any) -> str:
        return json.dumps(self.__dict__, default=str)


class Models:
    """The table of models."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    async def create(self, data: dict[str, Any], **_: Any) -> Row:
        plain = {
            key: json.loads(value) if key in ("litellm_params", "model_info") else value
            for key, value in data.items()
        }
        self.rows[plain["model_id"]] = Row(**plain)
        return self.rows[plain["model_id"]]

    async def find_unique(self, where: dict[str, str], **_: Any) -> Row | None:
        return self.rows.get(where["model_id"])

    async def find_first(self, **_: Any) -> Row | None:
        return next(iter(self.rows.values()), None)

    async def find_many(self, *_: Any, **__: Any) -> list[Row]:
        return list(self.rows.values())

    async def count(self, **_: Any) -> int:
        return len(self.rows)

    async def delete(self, where: dict[str, str], **_: Any) -> Row | None:
        return self.rows.pop(where["model_id"], None)


class Empty:
    """Any other table."""

    def __getattr__(self, name: str) -> Any:
        found: Any = {"find_many": [], "count": 0, "create": Row(), "upsert": Row()}.get(name)
        return AsyncMock(return_value=found)


class Tables:
    def __init__(self) -> None:
        self.litellm_proxymodeltable = Models()

    def __getattr__(self, name: str) -> Empty:
        return Empty()

    async def query_raw(self, *_: Any) -> list[dict[str, int]]:
        return [{"deployment_count": 1}]


class Client:
    def __init__(self) -> None:
        self.db = Tables()

    def __getattr__(self, name: str) -> Any:
        return AsyncMock(return_value=None)

    def jsonify_object(self, data: dict[str, Any]) -> dict[str, Any]:
        return {k: json.dumps(v) if isinstance(v, dict) else v for k, v in data.items()}


async def main(port: int, config: str) -> None:
    os.environ |= {
        "CONFIG_FILE_PATH": config,
        "LITELLM_SALT_KEY": "sk-salt",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "STORE_MODEL_IN_DB": "True",
    }
    import litellm.proxy.proxy_server as proxy
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(proxy.app, host="127.0.0.1", port=port, log_level="error")
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.1)
    proxy.prisma_client, proxy.store_model_in_db = Client(), True
    print("ready", flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

"""The Files API: uploads are kept byte for byte; training files teach the base model its class frequencies."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.fine_tuning.training_files import InvalidTrainingFile, read_examples
from flows.emulator.gateway.errors import bad_request, not_found
from flows.emulator.gateway.requests import (
    Caller,
    authenticate,
    form_parts,
    json_response,
    page_response,
)
from flows.emulator.models.priors import learn_priors
from flows.emulator.state.documents import StoredFile
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Files", "file_path", "find_file", "is_processed", "save_file"]

PURPOSES = ("fine-tune", "batch", "evals", "assistants", "user_data", "vision")


class Files:
    """Handlers below `/files`."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state

    async def create(self, request: Request) -> Response:
        """POST /files: multipart `purpose` and `file`."""
        caller = authenticate(self.state, request, "data/train")
        parts = await form_parts(request, caller.flavour)
        purpose, upload = parts.get("purpose"), parts.get("file")
        if purpose is None or upload is None or upload.filename is None:
            raise bad_request("'file' and 'purpose' are required.", caller.flavour, param="file")
        wanted = purpose.data.decode()
        if wanted not in PURPOSES:
            raise bad_request(
                f"'{wanted}' is not one of {list(PURPOSES)}.", caller.flavour, param="purpose"
            )
        if not upload.data:
            raise bad_request("The file is empty.", caller.flavour, param="file")
        stored = save_file(self.state, caller, upload.filename, wanted, upload.data)
        self._learn(caller, wanted, upload.data)
        status = 201 if caller.flavour == "azure" and caller.style == "dated" else 200
        return json_response(self._shown(stored), status)

    async def list(self, request: Request) -> Response:
        """GET /files, newest first."""
        caller = authenticate(self.state, request, "data/train")
        purpose = request.query_params.get("purpose")
        files = [
            one
            for one in reversed(self.state.store.all(StoredFile))
            if one.account == caller.account.key and purpose in (None, one.purpose)
        ]
        return page_response(files, request, self._shown, default=10_000)

    async def get(self, request: Request) -> Response:
        """GET /files/{id}."""
        return json_response(self._shown(self._find(request)))

    async def content(self, request: Request) -> Response:
        """GET /files/{id}/content."""
        stored = self._find(request)
        return Response(
            file_path(self.state, stored.id).read_bytes(), media_type="application/octet-stream"
        )

    async def delete(self, request: Request) -> Response:
        """DELETE /files/{id}."""
        stored = self._find(request)
        self.state.store.delete(StoredFile, stored.id)
        file_path(self.state, stored.id).unlink(missing_ok=True)
        return json_response({"id": stored.id, "object": "file", "deleted": True})

    def _find(self, request: Request) -> StoredFile:
        caller = authenticate(self.state, request, "data/train")
        return find_file(self.state, caller, request.path_params["file"])

    def _learn(self, caller: Caller, purpose: str, data: bytes) -> None:
        if purpose != "fine-tune":
            return
        try:
            examples = read_examples(data, minimum=1)
        except InvalidTrainingFile:
            return  # the job that uses the file will say what is wrong with it
        learn_priors(self.state, caller.account.key, examples)

    def _shown(self, stored: StoredFile) -> dict[str, Any]:
        return {
            "id": stored.id,
            "object": "file",
            "bytes": stored.bytes,
            "created_at": int(stored.created_at),
            "filename": stored.filename,
            "purpose": stored.purpose,
            "status": "processed" if is_processed(self.state, stored) else "pending",
        }


def save_file(
    state: EmulatorState, caller: Caller, filename: str, purpose: str, data: bytes
) -> StoredFile:
    """Keep bytes as a file of the account."""
    prefix = "assistant-" if caller.flavour == "azure" and purpose == "assistants" else "file-"
    stored = StoredFile(
        id=prefix + (secrets.token_hex(16) if caller.flavour == "azure" else secrets.token_hex(12)),
        account=caller.account.key,
        flavour=caller.flavour,
        filename=Path(filename).name,
        purpose=purpose,
        bytes=len(data),
        created_at=state.clock.now(),
        digest=hashlib.sha256(data).hexdigest(),
    )
    path = file_path(state, stored.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    state.store.put(stored)
    return stored


def find_file(state: EmulatorState, caller: Caller, key: str) -> StoredFile:
    """Return a file of the caller's account. Raises 404."""
    stored = state.store.get(StoredFile, key)
    if stored is None or stored.account != caller.account.key:
        raise not_found("File object", key, caller.flavour)
    return stored


def is_processed(state: EmulatorState, stored: StoredFile) -> bool:
    """Say whether a file can be used; Azure takes a moment to look at it."""
    delay = state.switches.file_processing_s if stored.flavour == "azure" else 0.0
    return state.clock.now() >= stored.created_at + delay


def file_path(state: EmulatorState, key: str) -> Path:
    """Where a file's bytes lie."""
    return state.folder / "files" / key

"""Parsing multipart/form-data bodies, byte for byte, for file uploads."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

__all__ = ["Part", "boundary_of", "split_form"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form; `filename` is None for a plain field."""

    name: str
    filename: str | None
    data: bytes


def boundary_of(content_type: str) -> str | None:
    """Return the boundary of a multipart/form-data content type, None for anything else."""
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() != "multipart/form-data":
        return None
    boundary = header.get_param("boundary")
    return boundary if isinstance(boundary, str) else None


def split_form(body: bytes, boundary: str) -> dict[str, Part]:
    """Return the parts of a form by name; anything else is ignored."""
    parts: dict[str, Part] = {}
    mark = b"\r\n--" + boundary.encode("latin-1")
    for chunk in (b"\r\n" + body).split(mark)[1:]:
        head, divider, data = chunk.partition(b"\r\n\r\n")
        if not divider:
            continue
        part = _part(head, data)
        parts[part.name] = part
    return parts


def _part(head: bytes, data: bytes) -> Part:
    header = Message()
    for line in head.decode("utf-8", "replace").split("\r\n"):
        field, _, value = line.partition(":")
        if field.strip().lower() == "content-disposition":
            header["Content-Disposition"] = value.strip()
    name = header.get_param("name", "", "content-disposition")
    return Part(str(name), header.get_filename(), data)

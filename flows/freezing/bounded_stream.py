"""A compressed file from elsewhere, unpacked no further than it may be: a few bytes can stand for gigabytes."""

from __future__ import annotations

from typing import IO

import zstandard

__all__ = ["BoundedStream", "TooMuchError"]

_WINDOW = 1 << 27
_PIECE = 512


class TooMuchError(Exception):
    """More comes out of a file than it says itself."""


class BoundedStream:
    """A decompressed stream that gives no more bytes than `left`: what a file says of itself is all that it may unpack to."""

    def __init__(self, raw: IO[bytes], left: int) -> None:
        self._raw, self._buffer, self.left = raw, bytearray(), left
        self._frame = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end. Raises TooMuchError."""
        while len(self._buffer) < size and not self._frame.eof:
            # A little at a time: a few hundred bytes may unpack to some MiB.
            packed = self._raw.read(_PIECE)
            if not packed:
                break
            self._buffer += self._frame.decompress(packed)
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.left -= len(found)
        if self.left < 0:
            raise TooMuchError("it unpacks to more than it lists")
        return found

    def ended(self) -> bool:
        """Read on and say whether what was packed is there to its end, with its checksum right and nothing behind it."""
        while self.read(1 << 16):
            pass
        return bool(self._frame.eof and not self._frame.unused_data and not self._raw.read(1))

"""A set of answered (case, repeat) keys that stays small: 8 bytes a key.

Keys are kept as 64-bit digests. Two different keys of a journal with a million answers share a digest with a chance of
about 1 in 40 million; the case would then count as answered and lower the coverage, which the gate sees.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b

__all__ = ["AnsweredKeys", "key_digest"]


def key_digest(case_id: str, repeat: int) -> bytes:
    """Return the 8-byte digest of a case's repeat."""
    return blake2b(f"{repeat}:{case_id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


class AnsweredKeys:
    """Supports `(case_id, repeat) in keys` and `len(keys)`."""

    def __init__(self) -> None:
        # 256 small sorted arrays, sorted when first asked after a change: no large list of ints is ever made.
        self._buckets = tuple(array("Q") for _ in range(256))
        self._unsorted: set[int] = set()
        self._count = 0

    def add(self, case_id: str, repeat: int) -> None:
        """Add a key that is not in the set yet."""
        digest = key_digest(case_id, repeat)
        self._buckets[digest[0]].append(int.from_bytes(digest, "little"))
        self._unsorted.add(digest[0])
        self._count += 1

    def __contains__(self, key: object) -> bool:
        if not self._count or not isinstance(key, tuple):
            return False
        digest = key_digest(*key)
        bucket = self._buckets[digest[0]]
        if digest[0] in self._unsorted:
            bucket[:] = array("Q", sorted(bucket))
            self._unsorted.discard(digest[0])
        value = int.from_bytes(digest, "little")
        place = bisect_left(bucket, value)
        return place < len(bucket) and bucket[place] == value

    def __len__(self) -> int:
        return self._count

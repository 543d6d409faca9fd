"""What all questions of a file begin and end with: a prompt's own words, which say nothing of who asks what.

A template such as "Classify this ticket: … Answer with one label." makes any two questions look alike. Its words are
left out before questions are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["PromptFrame", "frame_of"]

_FEWEST = 10


class PromptFrame(NamedTuple):
    """The words before and behind what is asked."""

    before: str = ""
    after: str = ""

    def core(self, text: str) -> str:
        """Return a text without the frame; the text itself when it is not framed so, or would be left empty."""
        framed = text.startswith(self.before) and text.endswith(self.after)
        if not framed or len(text) < len(self.before) + len(self.after):
            return text
        return text[len(self.before) : len(text) - len(self.after)].strip() or text

    def cores(self, texts: Iterable[str]) -> list[str]:
        """Return all texts without the frame."""
        return [self.core(text) for text in texts]


def frame_of(texts: Sequence[str]) -> PromptFrame:
    """Return the whole words that all of at least ten different texts begin and end with; words are set apart by spaces."""
    different = list(dict.fromkeys(text for text in texts if text))
    if len(different) < _FEWEST:
        return PromptFrame()
    before = _shared_start(different)
    after = _shared_start([text[::-1] for text in different])[::-1]
    return PromptFrame(
        before[: before.rfind(" ") + 1], after[after.find(" ") :] if " " in after else ""
    )


def _shared_start(texts: Sequence[str]) -> str:
    """What the first and the last text in alphabetical order begin with, all between them begin with too."""
    first, last = min(texts), max(texts)
    length = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return first if length is None else first[:length]

"""OpenAI's python grader: the source's `grade(sample, item)` in a process of its own, with limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from evals.graders.base import ParameterError
from evals.graders.openai.base import OpenAIGrader, OpenAIOptions, RawScore, sample_of
from evals.graders.openai.sandbox import Sandbox, SandboxError
from evals.records import Case, Response

__all__ = ["PythonGrader"]

_LARGEST_SOURCE = 256_000


class PythonOptions(OpenAIOptions, frozen=True, kw_only=True):
    """`source` defines `grade(sample, item)`; `image_tag` is kept, and the packages are those installed here."""

    source: str
    image_tag: str | None = None
    timeout_s: float = 120.0


@dataclass(slots=True)
class PythonGrader(OpenAIGrader):
    """The number the source returns, clipped to [0, 1]; an exception or no number is 0, as OpenAI has it.

    A process that had to be ended (time, memory) judged nothing: unscored.
    """

    Options = PythonOptions
    _sandbox: Sandbox = field(init=False)

    def prepare(self) -> None:
        source = self.options.source
        if len(source.encode()) > _LARGEST_SOURCE:
            raise ParameterError("expected a source below 256 kB", "source")
        try:
            compile(source, f"<{self.name}>", "exec")
        except (SyntaxError, ValueError) as error:
            raise ParameterError(f"expected Python; found: {error}", "source") from None
        if not 0 < self.options.timeout_s <= 600:
            raise ParameterError("expected seconds above 0, at most 600", "timeout_s")
        self._sandbox = Sandbox(source, timeout_s=self.options.timeout_s)

    async def raw(self, case: Case, response: Response) -> RawScore:
        sample = sample_of(response)
        try:
            found = await asyncio.to_thread(self._sandbox.grade, sample, case.item)
        except SandboxError as error:
            return RawScore(None, str(error))
        if found.value is None:
            return RawScore(0.0, found.error)
        return RawScore(min(1.0, max(0.0, found.value)))

"""The custom grader: a Python function of the team's own, named by "module:function".

The function gets the case and the response, and the options of the suite as keywords. It returns a number in [0, 1],
true or false, or (number, reason); it may be async. It runs in this process, so it is for code one trusts.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

import msgspec

from evals.config.plugins import load_plugin
from evals.errors import ConfigurationError
from evals.graders.base import GraderBase, ParameterError, Parameters
from evals.graders.parsing import fault
from evals.records import Case, Response, Score

__all__ = ["CustomGrader"]


class CustomOptions(Parameters, frozen=True, kw_only=True):
    """`entry_point`: "module:function", or a name registered in the group gatewright.graders.

    `params`: keywords for the function. `version`: to be raised when what the function calls has changed.
    `sees_faults`: whether refused, truncated and filtered answers are put to it too; else they score 0.
    """

    entry_point: str
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    version: str = "1"
    sees_faults: bool = False


@dataclass(slots=True)
class CustomGrader(GraderBase):
    """The function's number. A crash, or a value outside [0, 1], leaves the answer unscored."""

    Options = CustomOptions
    _function: Callable[..., Any] = field(init=False)

    def __post_init__(self) -> None:
        self._function = _load(self.options.entry_point)
        try:
            source = inspect.getsource(inspect.getmodule(self._function) or self._function)
        except (OSError, TypeError):
            source = ""
        self.identity = {"source": hashlib.sha256(source.encode()).hexdigest()}

    async def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        reason = None if self.options.sees_faults else fault(response)
        if reason is not None:
            return (self.value(response, 0.0, reason),)
        found = self._function(case, response, **self.options.params)
        found = await found if inspect.isawaitable(found) else found
        value, reason = found if isinstance(found, tuple) and len(found) == 2 else (found, "")
        if not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
            return self.unscored(
                case, response, f"expected a number in [0, 1]; found {value!r}"[:300]
            )
        return (self.value(response, value, str(reason)),)


def _load(name: str) -> Callable[..., Any]:
    try:
        function = resolve_name(name) if ":" in name else _registered(name)
    except ConfigurationError as error:
        raise ParameterError(
            error.problems[0].message, "entry_point", error.problems[0].fix
        ) from None
    except Exception as error:  # importing runs somebody's code, which may raise anything
        raise ParameterError(
            f"can't load {name}: {type(error).__name__}: {error}", "entry_point"
        ) from None
    if not callable(function):
        raise ParameterError(f"expected a function; {name} is none", "entry_point")
    return function  # type: ignore[no-any-return]


def _registered(name: str) -> Any:
    found = load_plugin("gatewright.graders", name, expected="a function", fits=callable)
    if found is None:
        raise LookupError("nothing is registered under that name in gatewright.graders")
    return found

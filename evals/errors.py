"""The error tree of Gatewright. Each line gives the exit code of the command line; a class inherits that of its parent.

GatewrightError                       exit 4: root of all that is raised on purpose
├── ConfigurationError                exit 3: something a person wrote is wrong; carries every problem found
│   └── CredentialError               exit 3: a credential is missing or has the wrong form
├── RefusedError                      exit 1: understood, and not allowed (a hold, a revoked model)
│   ├── AnotherModelError             exit 1: the live deployment serves another model than is recorded (flows/freezing)
│   ├── UnknownModelError             exit 3: the job, model or checkpoint is not known; mostly a mistyped id
│   └── WebhookRefusedError           exit 1: a webhook without a valid signature (flows/platforms/fine_tuning)
├── WaitingError                      exit 2: a person has to decide first
├── InfrastructureError               exit 4: something outside failed
│   ├── DiskFullError                 exit 4: a disk has no room; an OSError as well (evals/files)
│   ├── OtherVersionError             exit 4: written by a version that this one does not read (evals/files)
│   ├── SamplingError                 exit 4: the endpoint cannot be asked at all (authentication, address)
│   │   ├── EndpointGoneError         exit 4: its deployment no longer exists (evals/sampling)
│   │   └── UnreachableError          exit 4: nothing listens at its address (evals/sampling)
│   ├── PlatformError                 exit 4: the control plane refused or broke; carries status and code; 3 when it lasts
│   ├── RegistryError                 exit 4: the registry cannot be read or written, or is not intact
│   │   ├── StaleGenerationError      exit 4: compare-and-swap lost: somebody changed the pointer first
│   │   └── LeaseLostError            exit 4: another process took over the run while this one stood still
│   ├── PublishError                  exit 4: a publisher could not write, or read back something else
│   ├── KeptAnswersError              exit 4: kept answers are missing or damaged (evals/evaluation)
│   └── NotYetError                   exit 4: found, and not to be acted upon before later (flows/service)
├── StoppedError                      exit 130: Ctrl-C; the message says how to go on (flows/commands)
├── IncomparableError                 exit 4: results that may not be compared; becomes a check's ERROR (evals/checks)
└── TemplateError                     exit 3: a prompt template is wrong; becomes a problem of its suite (evals/cases)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec

__all__ = [
    "ConfigurationError",
    "CredentialError",
    "GatewrightError",
    "InfrastructureError",
    "LeaseLostError",
    "PlatformError",
    "Problem",
    "PublishError",
    "RefusedError",
    "RegistryError",
    "SamplingError",
    "StaleGenerationError",
    "UnknownModelError",
    "WaitingError",
    "closest",
    "install_command",
    "missing_library",
    "nearest",
]


class GatewrightError(Exception):
    """Root of every error Gatewright raises on purpose; `exit_code` is what the command line returns."""

    exit_code: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in a file a person wrote.

    `where` is the file (or option, or environment variable); `line` is 1-based, None when the whole file is meant;
    `field` is a dotted path within the document; `message` says what was expected and found; `fix` what to do.
    """

    where: str
    message: str
    line: int | None = None
    field: str | None = None
    fix: str | None = None

    def __str__(self) -> str:
        place = self.where if self.line is None else f"{self.where}:{self.line}"
        field = f" field '{self.field}':" if self.field else ""
        fix = f" ({self.fix})" if self.fix else ""
        return f"{place}:{field} {self.message}{fix}"


class ConfigurationError(GatewrightError):
    """Something a person wrote is wrong. Holds all problems found, in file order."""

    exit_code = 3

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CredentialError(ConfigurationError):
    """A credential is missing or unusable; never carries the credential itself."""


class RefusedError(GatewrightError):
    """The request was understood and is not allowed now; `message` says who or what forbids it, `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message} — {hint}" if hint else message)


class UnknownModelError(RefusedError):
    """The job, model or checkpoint that was named is not known; most often the id is mistyped."""

    exit_code = 3


class WaitingError(GatewrightError):
    """Nothing can go on before a person decides."""

    exit_code = 2


class InfrastructureError(GatewrightError):
    """Something outside Gatewright failed; trying again later may help."""


class SamplingError(InfrastructureError):
    """An endpoint cannot be asked at all, so that going on would only burn the cases."""


class PlatformError(InfrastructureError):
    """A platform's control plane refused or failed. `message` is without the `hint`, which says what to do; `code` is the
    service's own, `about` what it refuses ('sku', 'capacity') where the code does not tell.

    `lasting` is set where no repeat mends it: something that a person wrote, or a right, is wrong. Exit code 3 then.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        hint: str | None = None,
        about: str | None = None,
        lasting: bool = False,
    ) -> None:
        self.message = message
        self.about, self.lasting = about, lasting
        self.exit_code = 3 if lasting else type(self).exit_code
        self.status = status
        self.code = code
        self.hint = hint
        super().__init__(f"{message} — {hint}" if hint else message)

    def hinted(self, hint: str | None) -> PlatformError:
        """Return the same error with what is known better of what to do."""
        return PlatformError(
            self.message,
            status=self.status,
            code=self.code,
            hint=hint,
            about=self.about,
            lasting=self.lasting,
        )


class RegistryError(InfrastructureError):
    """The registry cannot be read or written, or its records contradict one another."""


class StaleGenerationError(RegistryError):
    """The live pointer moved since it was read, so that nothing was changed."""


class LeaseLostError(RegistryError):
    """This process stood still for so long that another one took over its work; nothing may be changed any more."""


class PublishError(InfrastructureError):
    """A publisher could not write the live pointer, or read back something else than it wrote."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra, one of `[project.optional-dependencies]` in pyproject.toml."""
    return f"pip install 'gatewright[{extra}]'"


def missing_library(module: str, extra: str, *, needed_by: str, where: str) -> Problem | None:
    """Return the problem of a library that only the extra `extra` installs, None when it is installed.

    It is looked for, not imported, so that a check before a run costs nothing. `needed_by` is what a person asked for
    and `where` the file or setting that asks for it.
    """
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # not even the package that `module` is part of
        found = None
    if found is not None:
        return None
    message = f"{needed_by} needs the library {module}, which is not installed"
    return Problem(where=where, message=message, fix=install_command(extra))


_SHOWN = 12


def closest(name: str, valid: Sequence[str]) -> str | None:
    """Return the valid name that a mistyped one most likely stands for, None when none is close."""
    return next(iter(get_close_matches(name, valid, n=1, cutoff=0.6)), None)


def nearest(name: str, valid: Sequence[str]) -> str | None:
    """Return a fix such as "did you mean 'accuracy'?", or the valid names, or None when there are none."""
    if not valid:
        return None
    close = closest(name, valid)
    if close is not None:
        return f"did you mean '{close}'?"
    more = f" and {len(valid) - _SHOWN} more" if len(valid) > _SHOWN else ""
    return "valid: " + ", ".join(sorted(valid)[:_SHOWN]) + more

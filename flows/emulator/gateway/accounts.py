"""The accounts that exist, and how a request names one: by resource path, host, path prefix or key."""

from __future__ import annotations

from dataclasses import dataclass

from flows.emulator.switches import AccountSpec, Switches

__all__ = [
    "DEFAULT_ACCOUNT",
    "Account",
    "accounts",
    "find_account",
    "from_resource_id",
    "same_name",
]

DEFAULT_ACCOUNT = AccountSpec(name="embedded")


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the provider."""

    spec: AccountSpec

    @property
    def key(self) -> str:
        """Name under which documents refer to the account; resource names compare without case."""
        return self.spec.name.lower()

    @property
    def resource_id(self) -> str:
        """ARM id of the account."""
        spec = self.spec
        return (
            f"/subscriptions/{spec.subscription}/resourceGroups/{spec.resource_group}"
            f"/providers/Microsoft.CognitiveServices/accounts/{spec.name}"
        )

    @property
    def api_key(self) -> str:
        """Key that opens this account's data plane: '<name>-api-key'."""
        return f"{self.key}-api-key"


def same_name(left: str, right: str) -> bool:
    """Compare two resource names as ARM does."""
    return left.casefold() == right.casefold()


def accounts(switches: Switches) -> tuple[Account, ...]:
    """Return the default account and those that a switch adds."""
    return tuple(Account(spec) for spec in (DEFAULT_ACCOUNT, *switches.accounts))


def find_account(switches: Switches, name: str) -> Account | None:
    """Find an account by its name."""
    return next((one for one in accounts(switches) if same_name(one.spec.name, name)), None)


def from_resource_id(switches: Switches, resource_id: str) -> Account | None:
    """Find the account that an ARM id names."""
    return next(
        (one for one in accounts(switches) if same_name(one.resource_id, resource_id.rstrip("/"))),
        None,
    )

"""The models and deployment types that the emulated region offers, with quota rows and last days.

Quota rows are spelled as irregularly as the service's own: 'gpt4.1-mini' loses its first hyphen, fine-tuned rows end in
'-finetune'. Last days, and where fine-tunes can be deployed, are those that the vendors have published; everything else is
invented configuration. None of it is a promise.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "API_VERSIONS",
    "AS_OF",
    "BASE_MODELS",
    "PROVISIONED",
    "SKUS",
    "TRAINING_REGIONS",
    "BaseModel",
    "LastDays",
    "canonical_sku",
    "default_limit",
    "find_base",
    "usage_row",
]

API_VERSIONS = [
    "2021-04-30",
    "2021-10-01",
    "2022-03-01",
    "2022-10-01",
    "2022-12-01",
    "2023-05-01",
    "2024-10-01",
    "2025-06-01",
    "2025-09-01",
    "2025-12-01",
    "2026-03-01",
    "2026-05-01",
    "2026-09-01",
    "2024-04-01-preview",
    "2024-06-01-preview",
    "2025-04-01-preview",
    "2025-07-01-preview",
    "2025-10-01-preview",
    "2026-09-15-preview",
]

PROVISIONED = ("ProvisionedManaged", "GlobalProvisionedManaged", "DataZoneProvisionedManaged")
BATCH = ("GlobalBatch", "DataZoneBatch")
SKUS = ("Standard", "GlobalStandard", "DataZoneStandard", "DeveloperTier", *PROVISIONED, *BATCH)

_DEFAULT_LIMITS = {
    "Standard": (1000, 500),
    "GlobalStandard": (5000, 1000),
    "DataZoneStandard": (1000, 500),
    "DeveloperTier": (0, 500),
    "ProvisionedManaged": (500, 500),
    "GlobalProvisionedManaged": (500, 500),
    "DataZoneProvisionedManaged": (500, 500),
    "GlobalBatch": (5000, 0),
    "DataZoneBatch": (5000, 0),
}


@dataclass(frozen=True, slots=True)
class LastDays:
    """Published last days, ISO: of training on a base model, of the untuned model, of its fine-tunes."""

    training: str | None
    base: str | None
    fine_tunes: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """A base model: its quota rows, where it and its fine-tunes can be deployed, and its published last days.

    `azure_ends` and `openai_ends` are the days on which training, the untuned model and its fine-tunes end; None = never
    announced. How they count in this emulator's world says `retirement`.
    """

    name: str
    version: str
    developer: bool
    standard_regions: frozenset[str]
    tuned_provisioned_regions: frozenset[str]
    azure_ends: LastDays
    openai_ends: LastDays
    format: str = "OpenAI"

    @property
    def full_name(self) -> str:
        """Name and version as fine-tuning joins them, 'gpt-4.1-mini-2025-04-14'; an open model's name alone."""
        return f"{self.name}-{self.version}" if self.format == "OpenAI" else self.name

    @property
    def quota_name(self) -> str:
        """How quota rows spell it."""
        return self.name.replace("gpt-", "gpt", 1)

    def skus(self, location: str, *, fine_tuned: bool) -> tuple[str, ...]:
        """Return the deployment types that this model, or its fine-tunes, have in a region."""
        offered = ["GlobalStandard"]
        if location in self.standard_regions:
            offered.insert(0, "Standard")
        # fine-tunes have the US zone alone: Microsoft, 'Fine-tuning in Microsoft Foundry', as of 2026-10-06
        if location.endswith(("us", "us2")) or (location == _SWC and not fine_tuned):
            offered.append("DataZoneStandard")
        if not fine_tuned:
            return (*offered, *self._provisioned(location), *BATCH)
        if self.developer:
            offered.append("DeveloperTier")
        if location in self.tuned_provisioned_regions:
            offered.append("ProvisionedManaged")
        return tuple(offered)

    def _provisioned(self, location: str) -> tuple[str, ...]:
        has = self.format == "OpenAI" and not self.name.startswith("o4")
        return PROVISIONED if has and location in (_NCUS, _SWC) else ()


AS_OF = "2026-11-28"
"""The day on which the published days were noted."""

_NCUS, _EUS2, _SWC = "northcentralus", "eastus2", "swedencentral"
_GPT_41 = LastDays("2027-04-14", "2027-04-14", "2027-10-14")
_NANO = LastDays("2027-04-14", "2026-10-14", "2027-10-14")
_GPT_4O = LastDays("2027-04-01", "2026-12-09", "2027-10-01")
_O4 = LastDays("2027-04-16", "2026-10-16", "2027-10-16")
_UNTUNABLE = LastDays(None, "2026-12-09", None)
_OPENAI = LastDays("2027-01-06", "2027-01-14", "2027-01-14")
_OPENAI_GONE = LastDays("2026-10-23", "2026-10-23", "2026-10-23")


def _model(
    full_name: str,
    azure: LastDays,
    openai: LastDays,
    standard: tuple[str, ...],
    provisioned: tuple[str, ...] = (),
) -> BaseModel:
    return BaseModel(
        name=full_name[:-11],
        version=full_name[-10:],
        developer=not full_name.startswith("gpt-4o"),
        standard_regions=frozenset(standard),
        tuned_provisioned_regions=frozenset(provisioned),
        azure_ends=azure,
        openai_ends=openai,
    )


_NORTH, _EAST = (_NCUS, _SWC), (_EUS2, _SWC)


def _open_model(name: str, model_format: str) -> BaseModel:
    """An open model that Foundry fine-tunes: global deployments alone, and a developer tier. Its days are invented."""
    return BaseModel(
        name=name,
        version="1",
        developer=True,
        standard_regions=frozenset(),
        tuned_provisioned_regions=frozenset(),
        azure_ends=LastDays("2031-10-14", "2032-04-14", "2032-10-14"),
        openai_ends=LastDays(None, None, None),
        format=model_format,
    )


BASE_MODELS: tuple[BaseModel, ...] = (
    _model("gpt-4.1-2025-04-14", _GPT_41, _OPENAI, _NORTH, (_SWC,)),
    _model("gpt-4.1-mini-2025-04-14", _GPT_41, _OPENAI, _NORTH),
    _model("gpt-4.1-nano-2025-04-14", _NANO, _OPENAI_GONE, _NORTH),
    _model("gpt-4o-2024-08-06", _GPT_4O, _OPENAI, _EAST, _NORTH),
    _model("gpt-4o-2024-11-20", _UNTUNABLE, _OPENAI, _EAST, _NORTH),
    _model("gpt-4o-mini-2024-07-18", _GPT_4O, _OPENAI, _NORTH, _NORTH),
    _model("o4-mini-2025-04-16", _O4, _OPENAI_GONE, _EAST),
    _open_model("qwen3-32b", "Alibaba"),
    _open_model("gpt-oss-20b", "Microsoft"),
    _open_model("Ministral-3B", "Mistral AI"),
    _open_model("Llama-3.3-70B-Instruct", "Meta"),
)

TRAINING_REGIONS = frozenset(region for one in BASE_MODELS for region in one.standard_regions)
"""Regions with fine-tuning, which models of other regions can be brought to."""


def find_base(name: str, version: str | None = None) -> BaseModel | None:
    """Find a base model by 'gpt-4.1-mini' (and version) or by 'gpt-4.1-mini-2025-04-14'."""
    for model in BASE_MODELS:
        if name in (model.name, model.full_name) and version in (None, "", model.version):
            return model
    return None


def canonical_sku(name: str) -> str | None:
    """Return the canonical spelling of a deployment type whatever the case, None for an unknown one."""
    return next((sku for sku in SKUS if sku.lower() == name.lower()), None)


def usage_row(model: BaseModel, sku: str, *, fine_tuned: bool) -> str:
    """Return the name of the quota row that a deployment draws on."""
    return f"{model.format.replace(' ', '')}.{sku}.{model.quota_name}{'-finetune' if fine_tuned else ''}"


def default_limit(sku: str, *, fine_tuned: bool) -> int:
    """Return the default limit of a quota row, in capacity units."""
    return _DEFAULT_LIMITS[sku][int(fine_tuned)]

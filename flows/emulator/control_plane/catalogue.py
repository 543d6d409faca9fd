"""The models and deployment types that the emulated region offers, with quota rows and retirement dates.

Quota rows are spelled as irregularly as the service's own: 'gpt4.1-mini' loses its first hyphen, fine-tuned rows end in
'-finetune'. All figures are invented configuration, not promises.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "API_VERSIONS",
    "BASE_MODELS",
    "PROVISIONED",
    "SKUS",
    "BaseModel",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """A base model: where its fine-tunes can be deployed, the names of its quota rows, and when it retires."""

    name: str
    version: str
    quota_name: str
    developer: bool
    standard_regions: frozenset[str]
    provisioned_regions: frozenset[str]
    fine_tune_until: str
    inference_until: str
    format: str = "OpenAI"

    @property
    def full_name(self) -> str:
        """Name and version as fine-tuning joins them, 'gpt-4.1-mini-2025-04-14'; an open model's name alone."""
        return f"{self.name}-{self.version}" if self.format == "OpenAI" else self.name

    def skus(self, location: str, *, fine_tuned: bool) -> tuple[str, ...]:
        """Return the deployment types that this model has in a region."""
        offered = ["GlobalStandard"]
        if location in self.standard_regions:
            offered.insert(0, "Standard")
        if location.endswith(("us", "us2", "swedencentral")):
            offered.append("DataZoneStandard")
        if fine_tuned and self.developer:
            offered.append("DeveloperTier")
        if location in self.provisioned_regions:
            offered += PROVISIONED
        if not fine_tuned:
            offered += BATCH
        return tuple(offered)


def _model(name: str, version: str, developer: bool, second: str, end: str) -> BaseModel:
    family_has_ptu = not name.startswith("o4")
    return BaseModel(
        name=name,
        version=version,
        quota_name=name.replace("gpt-", "gpt", 1),
        developer=developer,
        standard_regions=frozenset({second, "swedencentral"}),
        provisioned_regions=frozenset(
            {"northcentralus", "swedencentral"} if family_has_ptu else ()
        ),
        fine_tune_until=f"{end[0:4]}-{end[4:6]}-14T00:00:00Z",
        inference_until=f"{end[0:4]}-{int(end[4:6]) + 6:02}-14T00:00:00Z",
    )


def _open_model(name: str, model_format: str) -> BaseModel:
    """An open model that Foundry fine-tunes: global deployments alone, and a developer tier."""
    return BaseModel(
        name=name,
        version="1",
        quota_name=name,
        developer=True,
        standard_regions=frozenset(),
        provisioned_regions=frozenset(),
        fine_tune_until="2031-10-14T00:00:00Z",
        inference_until="2032-04-14T00:00:00Z",
        format=model_format,
    )


BASE_MODELS: tuple[BaseModel, ...] = (
    _model("gpt-4.1", "2025-04-14", True, "northcentralus", "203104"),
    _model("gpt-4.1-mini", "2025-04-14", True, "northcentralus", "203104"),
    _model("gpt-4.1-nano", "2025-04-14", True, "northcentralus", "203104"),
    _model("gpt-4o", "2024-08-06", False, "eastus2", "203004"),
    _model("gpt-4o", "2024-11-20", False, "eastus2", "203004"),
    _model("gpt-4o-mini", "2024-07-18", False, "northcentralus", "203004"),
    _model("o4-mini", "2025-04-16", True, "eastus2", "203104"),
    _open_model("qwen3-32b", "Alibaba"),
    _open_model("gpt-oss-20b", "Microsoft"),
    _open_model("Ministral-3B", "Mistral AI"),
    _open_model("Llama-3.3-70B-Instruct", "Meta"),
)


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

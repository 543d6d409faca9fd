"""A promotion that keeps one deployment name: the model is changed in it, or deleted and the new one created.

For applications that can't follow a pointer. A gap is said before and measured after; with strategy in_place there is
none. What stood under the name is written down before anything is done to it, so that
any later process can give it back: when the new model can't be created, fails its smoke test, is refused by what is
measured on production, or has to wait for a person.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from evals.codec import convert
from evals.errors import PlatformError
from evals.sampling.redaction import redact_keys
from flows.deployments.downtime import describe_change, describe_downtime, replaceable
from flows.deployments.identity import belongs_to, own_tags
from flows.platforms.base import Connection, Deployment, ReplacesModels, SlotSpec
from flows.platforms.model_names import same_id
from flows.release.steps import PromotionProcess

__all__ = ["InPlacePromotion"]


class InPlacePromotion(PromotionProcess):
    """A promotion whose deployment keeps its name."""

    async def deploy(self) -> Connection:
        """Put the candidate where the old model stands, and measure how long nothing answered."""
        platform, model = replaceable(self.platform), self.act.candidate.model_id
        previous, cut_off = await self._previous(), self._cut_off_at()
        gapless = self.act.strategy == "in_place"
        detail = {"deployment": self.deployment, "created": previous is None}
        detail |= {"strategy": self.act.strategy}
        if previous is not None:
            expected = (0.0, 0.0) if gapless else platform.expected_replace_s
            detail |= {"previous": msgspec.to_builtins(previous)}
            detail |= {"expected_downtime_s": list(expected)}
            self._announce(previous, platform)
        with self.step("deploying", **detail) as found:
            tags = own_tags(
                self.act.target,
                self.act.run_id,
                "production",
                evidence=self.act.evidence_digest,
            )
            done = await platform.replace(
                self.deployment,
                model,
                self.act.slot,
                tags=tags,
                previous=previous,
                gapless=gapless,
            )
            gap = 0.0 if gapless else self._measured(done.downtime_s, cut_off)
            found["downtime_s"] = round(gap, 1)
        with self.step("ready"):
            return done.connection

    async def remove_own_deployment(self) -> str | None:
        """Give the old model its deployment back, unless the candidate is live; without an old one, delete."""
        previous = self._remembered()
        if previous is None:
            return await super().remove_own_deployment()
        live = self.registry.live(self.act.target)
        if live is not None and live.model_id == self.act.candidate.model_id:
            return None
        return await self._restore_model(previous)

    async def restore_deployment(self) -> str | None:
        """Before the pointer goes back to the old model, that model has to stand under the name again."""
        previous, live = self._remembered(), self.registry.live(self.act.target)
        ours = live is not None and live.model_id == self.act.candidate.model_id
        return await self._restore_model(previous) if previous is not None and ours else None

    async def restore_before_waiting(self) -> str | None:
        """While people decide the old model answers: nobody has let the candidate go live yet."""
        return await self.remove_own_deployment()

    def outcome_note(self) -> str:
        """How long nothing answered, for the outcome's sentence."""
        words = describe_downtime(self.registry.steps(self.act.run_id))
        return f", {self.deployment} {words}" if words else ""

    async def _restore_model(self, previous: Deployment) -> str | None:
        """Make `previous` stand again; return what went wrong, None when nothing did."""
        try:
            standing = await self.platform.get(self.deployment)
            if standing is not None and same_id(standing.model_id, previous.model_id):
                if standing.state == "ready":
                    return None
            elif standing is not None and not same_id(
                standing.model_id, self.act.candidate.model_id
            ):
                return f"{self.deployment} serves {standing.model_id} by now and was left alone"
            slot = SlotSpec(slot="production", sku=previous.sku, capacity=previous.capacity)
            with self.step("given_back", model=previous.model_id) as found:
                # told that `previous` stood there, a replace that fails does not put the refused candidate back
                done = await replaceable(self.platform).replace(
                    self.deployment, previous.model_id, slot, tags=previous.tags, previous=previous
                )
                found["downtime_s"] = round(done.downtime_s, 1)
        except Exception as error:
            why = redact_keys(str(error))
            return f"{self.deployment} could not be given back {previous.model_id}: {why}"
        return None

    async def _previous(self) -> Deployment | None:
        standing = await self.platform.get(self.deployment)
        if standing is None or same_id(standing.model_id, self.act.candidate.model_id):
            return self._remembered()
        live = self.registry.live(self.act.target)
        if live is not None and live.deployment == self.deployment:
            if not same_id(live.model_id, standing.model_id):
                raise PlatformError(
                    f"{self.deployment} serves {standing.model_id}, and {live.model_id} is recorded as live",
                    hint=f"'gatewright verify {self.act.target}' with --adopt or --put-back settles which one is right",
                )
        elif not belongs_to(standing, self.act.target):
            raise PlatformError(
                f"{self.deployment} stands already, serves {standing.model_id} and is not ours to delete",
                hint="give another name under 'promotion.deployment', or delete it by hand",
            )
        return standing

    def _remembered(self) -> Deployment | None:
        """What stood there before this run, as an earlier process of it wrote it down."""
        marks = self.registry.steps(self.act.run_id)
        detail = (mark.detail.get("previous") for mark in marks if mark.step == "deploying")
        found: list[Any] = [one for one in detail if one]
        return convert(found[-1], Deployment) if found else None

    def _announce(self, previous: Deployment, platform: ReplacesModels) -> None:
        in_place = platform.changes_in_place(previous, self.act.candidate.model_id, self.act.slot)
        change = describe_change(self.act.strategy, platform, in_place=in_place)
        words = f"{self.deployment} gets the new model now; {change}"
        self.registry.set_run_state(self.act.run_id, "promoting", words, actor=self.act.actor)

    def _cut_off_at(self) -> str | None:
        """When an earlier process began to replace and was killed before it came to an end."""
        at = None
        for mark in reversed(self.registry.steps(self.act.run_id)):
            if mark.step == "deploying" and mark.phase != "begun":
                break
            if mark.step == "deploying":
                at = mark.at
        return at

    def _measured(self, seconds: float, cut_off: str | None) -> float:
        """The gap; when a process was killed within it, the whole time since then, which is the most it can be."""
        if cut_off is None:
            return seconds
        now, began = (datetime.fromisoformat(text) for text in (self.registry.now(), cut_off))
        return max(seconds, (now - began).total_seconds())

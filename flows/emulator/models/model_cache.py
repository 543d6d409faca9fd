"""Loaded models: the weights used last stay in memory, and so do recent answers."""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path

import joblib

from flows.emulator.models import classifiers, features, heads, joint
from flows.emulator.models.heads import Answer, Network

__all__ = ["ModelCache"]

# Weights are pickles, which name the modules of their classes. Those written before these modules moved here name
# `flows.emulator.heads` and so on: the alias lets them load.
for _module in (classifiers, features, heads, joint):
    sys.modules.setdefault(_module.__name__.replace(".models.", "."), _module)


class ModelCache:
    """Caches networks and their answers: a model always answers the same question the same way."""

    def __init__(self, folder: Path, *, networks: int = 12, answers: int = 20_000) -> None:
        self.folder = folder
        self._room, self._answer_room = networks, answers
        self._networks: OrderedDict[str, Network] = OrderedDict()
        self._answers: OrderedDict[tuple[str, str, str], Answer] = OrderedDict()

    def answer(self, artifact: str, prompt: str, question: str) -> Answer:
        """Answer a question with the weights of an artifact. Raises FileNotFoundError when they are gone."""
        key = (artifact, prompt, question)
        known = self._answers.get(key)
        if known is None:
            known = self._network(artifact).answer(prompt, question)
            self._answers[key] = known
            if len(self._answers) > self._answer_room:
                self._answers.popitem(last=False)
        return known

    def _network(self, artifact: str) -> Network:
        network = self._networks.get(artifact)
        if network is None:
            network = joblib.load(self.folder / artifact)
            self._networks[artifact] = network
            if len(self._networks) > self._room:
                self._networks.popitem(last=False)
        self._networks.move_to_end(artifact)
        return network

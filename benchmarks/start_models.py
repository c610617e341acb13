"""The source-trained model that every row of a data set and a seed starts from: trained once, kept in a file."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench_options import BenchBudget
from data_sets import DataSet
from networks import Network, build_network
from safetensors.torch import load_file, save_file

from semidavil_core.adaptation.preparation import iter_prepare
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import PrepareSettings, Settings
from semidavil_core.vlm.loading import Vlm


@dataclass(frozen=True)
class Start:
    """How a start model comes about."""

    seed: int
    network: Network = Network.FULL
    settings: PrepareSettings = field(default_factory=PrepareSettings)


class StartModels:
    """Makes start models and keeps them.

    Parameters
    ----------
    vlm
        The vision-language model.
    budget
        Of each preparation.
    folder
        Where the weights are kept; a file's name changes with everything that it depends on but the code.
    """

    def __init__(self, vlm: Vlm, budget: BenchBudget, folder: Path) -> None:
        self._vlm = vlm
        self._budget = budget
        self._folder = folder

    def untrained(self, data: DataSet, start: Start) -> Segmenter:
        """The network before any training."""
        return build_network(start.network, self._vlm, data, start.seed)

    def bundle(self, data: DataSet, start: Start) -> Bundle:
        """The network after training on the source of `data`."""
        segmenter = self.untrained(data, start)
        file = self._file(data, start, segmenter)
        if file.is_file():
            segmenter.load_state_dict(load_file(file))
        else:
            segmenter = self._prepared(segmenter, data, start)
            _save(segmenter, file)
        return Bundle(segmenter.eval(), data.classes, self._vlm.reference)

    def _prepared(self, segmenter: Segmenter, data: DataSet, start: Start) -> Segmenter:
        settings = replace(start.settings, seed=start.seed)
        return drain(
            iter_prepare(
                segmenter,
                data.source,
                settings=settings,
                budget=self._budget.budget,
                now=self._budget.now,
            )
        )

    def _file(self, data: DataSet, start: Start, segmenter: Segmenter) -> Path:
        shapes = {name: list(tensor.shape) for name, tensor in segmenter.state_dict().items()}
        depends = [data.fingerprint, self._vlm.reference.fingerprint, list(data.classes.names), shapes]
        name = f"{data.name} {start.network} seed {start.seed} {self._budget} {short_hash(start.settings, depends)}"
        return self._folder / f"{name.replace(' ', '-')}.safetensors"


def short_hash(settings: Settings, more: Any = None) -> str:
    """Eight digits that change with any field of `settings`."""
    content = json.dumps([settings.to_json(), more], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=4).hexdigest()


def _save(segmenter: Segmenter, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.part")  # two processes may make the same one
    save_file({name: t.detach().contiguous() for name, t in segmenter.state_dict().items()}, temporary)
    temporary.replace(file)

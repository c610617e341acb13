"""Features for training: computed through the tuned encoder, or kept from a frozen one; and mixed where images are mixed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.model.segmenter import Segmenter
from semidavil_core.vlm.clip_towers import DenseFeatures


class FeatureCache:
    """Features of single views, computed at first use and kept in half precision up to a memory limit.

    Parameters
    ----------
    model
        Its encoder is frozen for as long as the cache lives.
    limit
        Bytes to keep; beyond it the views used longest ago are dropped and computed again when needed.
    """

    def __init__(self, model: Segmenter, *, limit: int = 2 << 30) -> None:
        self._model = model
        self._limit = limit
        self._bytes = 0
        self._entries: OrderedDict[Hashable, DenseFeatures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @torch.no_grad()
    def encode(self, images: Tensor, keys: Sequence[Hashable]) -> DenseFeatures:
        """Features of `images` (B, 3, S, S), of which equal `keys` mean equal images."""
        missing = [i for i, key in enumerate(keys) if key not in self._entries]
        fresh: dict[Hashable, DenseFeatures] = {}
        if missing:
            features = self._model.encode(images[missing])
            fresh = {
                keys[i]: _map(features, lambda t, n=n: t[n : n + 1].half()) for n, i in enumerate(missing)
            }
        rows = [fresh[key] if key in fresh else self._recall(key) for key in keys]
        for key, row in fresh.items():
            self._keep(key, row)
        return DenseFeatures(
            aligned=torch.cat([r.aligned for r in rows]).float(),
            fine=tuple(torch.cat(maps).float() for maps in zip(*(r.fine for r in rows), strict=True)),
            padded_size=rows[0].padded_size,
        )

    def _recall(self, key: Hashable) -> DenseFeatures:
        self._entries.move_to_end(key)
        return self._entries[key]

    def _keep(self, key: Hashable, row: DenseFeatures) -> None:
        self._entries[key] = row
        self._bytes += _size(row)
        while self._bytes > self._limit and len(self._entries) > 1:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= _size(dropped)


def select_features(features: DenseFeatures, rows: Tensor) -> DenseFeatures:
    """The batch rows `rows` (N,) int64 of `features`."""
    return _map(features, lambda t: t[rows])


def mix_features(base: DenseFeatures, other: DenseFeatures, mask: Tensor) -> DenseFeatures:
    """`other` where `mask` (B, S, S) is True, `base` elsewhere, at every level: the frozen encoder's stand-in for mixing images."""
    below, right = base.padded_size[0] - mask.shape[-2], base.padded_size[1] - mask.shape[-1]
    covering = functional.pad(
        mask.unsqueeze(1).float(), (0, right, 0, below), mode="replicate"
    )  # as the grids cover it

    def mixed(here: Tensor, there: Tensor) -> Tensor:
        share = functional.interpolate(covering, size=here.shape[-2:], mode="area")
        return torch.lerp(here, there, share)

    fine = tuple(mixed(a, b) for a, b in zip(base.fine, other.fine, strict=True))
    return DenseFeatures(mixed(base.aligned, other.aligned), fine, base.padded_size)


def join_features(first: DenseFeatures, second: DenseFeatures) -> DenseFeatures:
    """Both batches one after the other."""
    fine = tuple(torch.cat(maps) for maps in zip(first.fine, second.fine, strict=True))
    return DenseFeatures(torch.cat([first.aligned, second.aligned]), fine, first.padded_size)


def _map(features: DenseFeatures, change) -> DenseFeatures:  # type: ignore[no-untyped-def]
    return DenseFeatures(
        change(features.aligned), tuple(change(f) for f in features.fine), features.padded_size
    )


def _size(features: DenseFeatures) -> int:
    return sum(t.numel() * t.element_size() for t in (features.aligned, *features.fine))

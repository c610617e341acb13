"""Contrastive learning: pixel features are drawn to their class's prototype and pushed from the others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.classes import IGNORE_INDEX


def prototype_info_nce(
    features: Tensor,
    labels: Tensor,
    prototypes: Tensor,
    *,
    temperature: float = 0.07,
    present: Tensor | None = None,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    r"""InfoNCE between locations and class prototypes, classes weighing alike.

    .. math:: L = \operatorname{mean}_c \operatorname{mean}_{i \in c} -\log
              \frac{\exp(\langle f_i, p_c \rangle / \tau)}{\sum_k \exp(\langle f_i, p_k \rangle / \tau)}

    Prototypes are text embeddings (the contrastive term of CLIP, Radford et al. 2021) or class means of visual features (SePiCo,
    Xie et al. 2023); no gradient goes into them.

    Parameters
    ----------
    features
        (B, D, h, w) float, unit vectors over D.
    labels
        (B, h, w) integer class indices; `ignore_index` where there is none.
    prototypes
        (K, D) float, unit vectors.
    temperature
        tau.
    present
        (K,) bool, False for classes that have no prototype yet; None means all have.

    Returns
    -------
    Tensor
        Scalar; 0, still connected to the graph, without labels.
    """
    scores = features.movedim(1, -1) @ prototypes.detach().T / temperature  # (B, h, w, K)
    valid = labels != ignore_index
    if present is not None:
        scores = scores.masked_fill(~present, torch.finfo(scores.dtype).min)
        valid = valid & present[labels.long().clamp_max(len(present) - 1)]
    chosen, targets = scores[valid], labels[valid].long()
    if targets.numel() == 0:
        return features.sum() * 0.0
    losses = functional.cross_entropy(chosen, targets, reduction="none")
    counts = torch.bincount(targets, minlength=len(prototypes)).to(losses.dtype)
    return (losses / counts[targets]).sum() / (counts > 0).sum()


def labels_on_grid(
    labels: Tensor,
    size: tuple[int, int],
    num_classes: int,
    *,
    padded_size: tuple[int, int] | None = None,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """The most frequent label of each grid cell, so that a one-pixel stroke survives a coarse grid.

    Parameters
    ----------
    labels
        (B, H, W) integer class indices; `ignore_index` where there is none.
    size
        (h, w) of the grid.
    padded_size
        Height and width in pixels that the grid covers, where that is more than the labels'.

    Returns
    -------
    Tensor
        (B, h, w) int64; `ignore_index` where a cell holds no label at all.
    """
    if padded_size is not None:
        below, right = padded_size[0] - labels.shape[-2], padded_size[1] - labels.shape[-1]
        labels = functional.pad(labels, (0, right, 0, below), value=ignore_index)
    image, row, column = torch.nonzero(labels < num_classes, as_tuple=True)
    cell = row * size[0] // labels.shape[-2] * size[1] + column * size[1] // labels.shape[-1]
    votes = (image * size[0] * size[1] + cell) * num_classes + labels[image, row, column]
    cells = len(labels) * size[0] * size[1]
    best, index = torch.bincount(votes, minlength=cells * num_classes).view(len(labels), *size, -1).max(-1)
    return index.masked_fill(best == 0, ignore_index)

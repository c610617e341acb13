"""DyCE: the class-balanced Dynamic Cross-Entropy over the hardest labelled pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.classes import IGNORE_INDEX


def dynamic_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    hard_fraction: float,
    balance: float,
    normalize: bool = True,
    min_pixels: int = 2000,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    r"""Cross-entropy over the hardest pixels, each class weighted by its frequency among them.

    .. math:: L = -\frac{1}{f_H^{w}} \sum_c \frac{1}{f_c^{1-w}} \sum_{i \in H} y_{i,c} \log p_{i,c}

    with ``H`` the hardest share of the labelled pixels, ``f_H`` their number and ``f_c`` the number of class ``c`` among them
    (SemiDAViL, Basak and Yin, CVPR 2025, eq. 9). ``w = 1`` is plain hard-example mining; ``w = 0`` sums the class means.

    Parameters
    ----------
    logits
        (B, K, H, W) float.
    labels
        (B, H, W) integer class indices; `ignore_index` where unlabelled.
    hard_fraction
        Share of the labelled pixels that forms ``H``, in (0, 1].
    balance
        The exponent ``w`` in [0, 1].
    normalize
        Divide by ``K_present^(1-w)``, the total weight of equally frequent classes, so that the loss keeps its scale when a
        class is added (ours). False is the paper's form.
    min_pixels
        With fewer labelled pixels all of them form ``H``: a share of a few strokes would be noise.
    ignore_index
        Label of pixels that do not count.

    Returns
    -------
    Tensor
        Scalar; 0, still connected to the graph, without labelled pixels.
    """
    valid = labels != ignore_index
    chosen, targets = logits.movedim(1, -1)[valid], labels[valid].long()  # (N, K), (N,)
    if targets.numel() == 0:
        return logits.sum() * 0.0
    losses = functional.cross_entropy(chosen, targets, reduction="none")
    if targets.numel() >= min_pixels and hard_fraction < 1:
        losses, hardest = losses.topk(max(1, round(hard_fraction * targets.numel())))
        targets = targets[hardest]
    counts = torch.bincount(targets, minlength=logits.shape[1]).to(losses.dtype)
    weights = counts.clamp_min(1) ** -(1 - balance)
    loss: Tensor = (losses * weights[targets]).sum() / targets.numel() ** balance
    if normalize:
        loss = loss / (counts > 0).sum() ** (1 - balance)
    return loss

"""Negative learning: what a pixel surely is not can be taught even where nothing is confident."""

from __future__ import annotations

from torch import Tensor


def negative_learning(logits: Tensor, *, threshold: float = 0.05) -> Tensor:
    """Mean of ``-log(1 - p)`` over the classes that the network itself finds improbable (RIPU, Xie et al., CVPR 2022).

    Parameters
    ----------
    logits
        (B, K, H, W) float.
    threshold
        A class counts as improbable below this probability.

    Returns
    -------
    Tensor
        Scalar; 0, still connected to the graph, if no class is improbable anywhere.
    """
    probabilities = logits.softmax(1)
    improbable = (probabilities.detach() < threshold).to(probabilities.dtype)
    losses = -(1 - probabilities).clamp_min(1e-6).log() * improbable
    return losses.sum() / improbable.sum().clamp_min(1)

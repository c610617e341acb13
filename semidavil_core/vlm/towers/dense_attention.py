"""Training-free surgery on the last attention block, so that patch tokens stay where they are and speak CLIP's language.

With q, k, v the projections of the normalised tokens, s = head_dim ** -0.5 and W_o the output projection (sources: the papers
named in :class:`~semidavil_core.vlm.clip_towers.DenseMode`)::

    maskclip    z = x + W_o v                                                then + MLP
    sclip       z = x + W_o (softmax(s q q^T) + softmax(s k k^T)) v          then + MLP
    clearclip   z = W_o softmax(s q q^T) v
    naclip      z = W_o softmax(s k k^T + G) v,   G_ij = exp(-|p_i - p_j|^2 / (2 * 5^2)), 0 for the class token
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from semidavil_core.vlm.clip_towers import DenseMode

_NEIGHBOURHOOD = 5.0  # standard deviation in patches, NACLIP
_KEEPS_RESIDUAL = (DenseMode.MASKCLIP, DenseMode.SCLIP)


@dataclass(frozen=True)
class BlockParts:
    """A transformer block taken apart, so that open_clip's and timm's look alike."""

    whole: Callable[[Tensor], Tensor]
    """The block as it is: (B, N, C) to (B, N, C)."""
    qkv: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
    """Queries, keys and values of unnormalised tokens, each (B, heads, N, head_dim)."""
    out: Callable[[Tensor], Tensor]
    """Output projection and layer scale of merged heads, (B, N, C) to (B, N, C)."""
    feed_forward: Callable[[Tensor], Tensor]
    """The residual branch after attention, without the residual."""


def last_block(tokens: Tensor, block: BlockParts, mode: DenseMode, grid: tuple[int, int]) -> Tensor:
    """Run the last block in `mode`.

    Parameters
    ----------
    tokens
        (B, P + h * w, C), P prefix tokens first.
    block
        The block's parts.
    mode
        Any mode but ``VALUE``.
    grid
        h and w.

    Returns
    -------
    Tensor
        (B, P + h * w, C), before the final norm.
    """
    if mode is DenseMode.VANILLA:
        return block.whole(tokens)
    attended = _attend(*block.qkv(tokens), mode, grid)
    answer = block.out(attended.transpose(1, 2).flatten(2))
    if mode not in _KEEPS_RESIDUAL:
        return answer
    answer = tokens + answer
    return answer + block.feed_forward(answer)


def _attend(query: Tensor, key: Tensor, value: Tensor, mode: DenseMode, grid: tuple[int, int]) -> Tensor:
    if mode is DenseMode.MASKCLIP:
        return value
    if mode is DenseMode.CLEARCLIP:
        return _self_similarity(query).softmax(-1) @ value
    if mode is DenseMode.SCLIP:
        return (_self_similarity(query).softmax(-1) + _self_similarity(key).softmax(-1)) @ value
    prefix = key.shape[2] - grid[0] * grid[1]
    closeness = neighbourhood(grid, prefix).to(key)
    answer: Tensor = (_self_similarity(key) + closeness).softmax(-1) @ value
    return answer


def _self_similarity(heads: Tensor) -> Tensor:
    similarity: Tensor = heads @ heads.transpose(-1, -2) * heads.shape[-1] ** -0.5
    return similarity


@lru_cache(maxsize=4)
@torch.inference_mode(False)  # kept, so it must serve a training step too
def neighbourhood(grid: tuple[int, int], prefix: int) -> Tensor:
    """Gaussian closeness of every two patches of an h x w grid, (P + hw, P + hw) float32; zero for prefix tokens."""
    axes = [
        torch.exp(-((torch.arange(n)[:, None] - torch.arange(n)) ** 2) / (2 * _NEIGHBOURHOOD**2))
        for n in grid
    ]
    patches = torch.kron(axes[0], axes[1])
    closeness = torch.zeros(prefix + len(patches), prefix + len(patches))
    closeness[prefix:, prefix:] = patches
    return closeness

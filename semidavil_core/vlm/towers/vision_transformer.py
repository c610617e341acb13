"""open_clip's own vision transformers: ViT-B-16 and its relatives, and the attention-pooled ones of CoCa."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from semidavil_core.vlm.clip_towers import ClipTower, DenseMode
from semidavil_core.vlm.towers.dense_attention import BlockParts, last_block
from semidavil_core.vlm.towers.positional_embedding import resized_positions


class VisionTransformerTower(ClipTower):
    """An open_clip ``VisionTransformer`` at any size.

    The finer maps are the patch embedding and the tokens after one and two thirds of the depth: no finer in pixels than the
    aligned map, but of lower level; detail within a patch comes from the decoder's path over the image.
    """

    rate_factor = 0.02

    def __init__(
        self, visual: nn.Module, *, mode: DenseMode, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__(visual, mean=mean, std=std)
        self.dense_mode = mode
        self.visual.patch_dropout = nn.Identity()
        self._measure(int(self.visual.patch_size[0]))

    def dense(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Patch tokens of the last block in the tower's mode, projected; patch embedding and two middle blocks."""
        tokens, grid = self._embed(images)
        *blocks, last = self.visual.transformer.resblocks
        fine, kept = [tokens], _thirds(len(blocks) + 1)
        for depth, block in enumerate(blocks, start=1):
            tokens = block(tokens)
            if depth in kept:
                fine.append(tokens)
        if self.dense_mode is DenseMode.VALUE:
            aligned = self._pooled_values(last(tokens)[:, 1:])
        else:
            answer = last_block(tokens, block_parts(last), self.dense_mode, grid)
            aligned = self.visual.ln_post(answer)[:, 1:]
        if self.visual.proj is not None:
            aligned = aligned @ self.visual.proj
        return to_map(aligned, grid), [to_map(f[:, 1:], grid) for f in fine]

    def _embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        visual = self.visual
        patches = visual.conv1(images)
        grid = (patches.shape[-2], patches.shape[-1])
        prefix = visual.class_embedding.to(patches).expand(len(images), 1, -1)
        tokens = torch.cat([prefix, patches.flatten(2).transpose(1, 2)], 1)
        positions = resized_positions(visual.positional_embedding, tuple(visual.grid_size), grid)
        return visual.ln_pre(tokens + positions.to(tokens)), grid

    def _pooled_values(self, tokens: Tensor) -> Tensor:
        # What the attention pool answers to a single token: the softmax over one key is 1, so only the value path is left.
        pool = self.visual.attn_pool
        attention = pool.attn
        weight = attention.v_proj_weight
        if weight is None:
            weight = attention.in_proj_weight.chunk(3)[2]
        values = functional.linear(pool.ln_k(tokens), weight, attention.in_proj_bias.chunk(3)[2])
        normed: Tensor = self.visual.ln_post(attention.out_proj(values))
        return normed

    def tuned_names(self) -> Iterator[str]:
        """Attention weights and the positional embedding ("spatial fine-tuning", SemiVL)."""
        for name, _ in self.visual.named_parameters():
            if (name.startswith("transformer.") and ".attn." in name) or name == "positional_embedding":
                yield name


def block_parts(block: Any) -> BlockParts:
    """An open_clip residual block taken apart."""
    attention, scale = block.attn, block.ls_1

    def qkv(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        projected = functional.linear(block.ln_1(tokens), attention.in_proj_weight, attention.in_proj_bias)
        query, key, value = (
            t.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for t in projected.chunk(3, -1)
        )
        return query, key, value

    return BlockParts(
        whole=block,
        qkv=qkv,
        out=lambda merged: scale(attention.out_proj(merged)),
        feed_forward=lambda tokens: block.ls_2(block.mlp(block.ln_2(tokens))),
    )


def has_plain_blocks(visual: VisionTransformer) -> bool:
    """Whether the last block is the ordinary kind, which can be taken apart."""
    return isinstance(visual.transformer.resblocks[-1], ResidualAttentionBlock)


def to_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patch tokens (B, h * w, C) as a map (B, C, h, w)."""
    batch, _, channels = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, channels, *grid)


def _thirds(depth: int) -> tuple[int, ...]:
    return tuple(sorted({max(1, depth // 3), max(1, 2 * depth // 3)}))

"""timm vision transformers: SigLIP and SigLIP 2 (MAP pooling), BiomedCLIP (class token), EVA and PE-Core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from timm.layers import Format
from timm.layers.attention import Attention
from timm.models.eva import Eva
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from semidavil_core.vlm.clip_towers import ClipTower, DenseMode
from semidavil_core.vlm.towers.dense_attention import BlockParts, last_block


class TimmTransformerTower(ClipTower):
    """A timm transformer inside open_clip's ``TimmModel``, at any size.

    Attention-pooled trunks (SigLIP) answer in ``value`` mode: the pool and the projection see each token alone. Trunks with a class
    token or average pooling (BiomedCLIP) know the training-free modes of the last block.
    """

    rate_factor = 0.02

    def __init__(
        self, visual: nn.Module, *, mode: DenseMode, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__(visual, mean=mean, std=std)
        self.dense_mode = mode
        accept_any_size(visual.trunk)
        self._measure(_stride(visual.trunk))

    def dense(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Projected patch tokens; the patch embedding and the tokens after one and two thirds of the depth."""
        trunk = self.visual.trunk
        depth = len(trunk.blocks)
        middle = sorted({max(1, depth // 3) - 1, max(1, 2 * depth // 3) - 1})
        patches = trunk.patch_embed(images).permute(0, 3, 1, 2)
        grid = (patches.shape[-2], patches.shape[-1])
        _turn_to(trunk, grid)
        if self.dense_mode is DenseMode.VALUE:
            tokens, maps = trunk.forward_intermediates(images, indices=middle)
        else:
            tokens, maps = self._before_last(images, middle, depth)
            tokens = trunk.norm(last_block(tokens, block_parts(trunk.blocks[-1]), self.dense_mode, grid))
        return self._project(tokens[:, trunk.num_prefix_tokens :], grid), [patches, *maps]

    def _before_last(self, images: Tensor, middle: list[int], depth: int) -> tuple[Tensor, list[Tensor]]:
        trunk = self.visual.trunk
        taken = sorted({*middle, max(0, depth - 2)})
        answers = trunk.forward_intermediates(
            images, indices=taken, stop_early=True, intermediates_only=True, return_prefix_tokens=True
        )
        if trunk.num_prefix_tokens == 0:
            answers = [
                (a, a.new_zeros(len(a), 0, a.shape[1])) if isinstance(a, Tensor) else a for a in answers
            ]
        spatial, prefix = answers[-1]
        tokens = torch.cat([prefix, spatial.flatten(2).transpose(1, 2)], 1)
        return tokens, [answers[taken.index(i)][0] for i in middle]

    def _project(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        # The trunk's own head sees each token as an image of one token: pooling keeps it, norms and projections stay in place.
        # Copies stand in for the prefix tokens, which average pooling leaves out and class-token pooling reads.
        trunk = self.visual.trunk
        single = tokens.reshape(-1, 1, tokens.shape[-1]).expand(-1, trunk.num_prefix_tokens + 1, -1)
        projected: Tensor = self.visual.head(trunk.forward_head(single))
        return projected.reshape(len(tokens), *grid, -1).permute(0, 3, 1, 2)

    def tuned_names(self) -> Iterator[str]:
        """Attention weights of the blocks and the positional embedding."""
        for name, _ in self.visual.named_parameters():
            if (".blocks." in name and ".attn." in name) or name == "trunk.pos_embed":
                yield name


def is_token_trunk(trunk: object) -> bool:
    """Whether `trunk` is a timm transformer that this tower knows."""
    return isinstance(trunk, VisionTransformer | Eva)


def has_plain_attention(trunk: Any) -> bool:
    """Whether the last block is the ordinary pre-norm kind, which can be taken apart."""
    block = trunk.blocks[-1]
    return isinstance(block, Block) and isinstance(block.attn, Attention) and len(trunk.blocks) > 1


def accept_any_size(trunk: Any) -> None:
    """Make the trunk resample its positional embedding per call, which leaves the stored one alone."""
    trunk.dynamic_img_size = True
    embed = trunk.patch_embed
    embed.strict_img_size = False
    embed.flatten = False
    embed.output_fmt = Format.NHWC


def _turn_to(trunk: Any, grid: tuple[int, int]) -> None:
    # Rotary embeddings (EVA-02, PE-Core) are computed, not learned: making them anew for another grid loses nothing.
    rope: Any = getattr(trunk, "rope", None)
    if hasattr(rope, "update_feat_shape") and list(rope.feat_shape or ()) != [*grid]:
        with torch.inference_mode(False), torch.no_grad():  # kept, so it must serve a training step too
            rope.update_feat_shape([*grid])


def block_parts(block: Any) -> BlockParts:
    """A timm block taken apart."""
    attention = block.attn

    def qkv(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        projected = attention.qkv(block.norm1(tokens)).unflatten(-1, (3, attention.num_heads, -1))
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)
        return attention.q_norm(query), attention.k_norm(key), value

    return BlockParts(
        whole=block,
        qkv=qkv,
        out=lambda merged: block.ls1(attention.proj(attention.norm(merged))),
        feed_forward=lambda tokens: block.ls2(block.mlp(block.norm2(tokens))),
    )


def _stride(trunk: Any) -> int:
    ratio = trunk.patch_embed.feat_ratio()
    return int(max(ratio) if isinstance(ratio, tuple) else ratio)

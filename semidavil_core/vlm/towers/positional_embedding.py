"""Positional embeddings for image sizes that a transformer was not trained at."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def resized_positions(
    embedding: Tensor, native: tuple[int, int], grid: tuple[int, int], prefix: int = 1
) -> Tensor:
    """The embedding (P + h0 * w0, C) of the `native` grid, resampled bicubically to (P + h * w, C).

    Nothing is stored: the native embedding stays what it was, so visiting many sizes loses nothing, and gradients reach it.
    """
    if native == grid:
        return embedding
    head, patches = embedding[:prefix], embedding[prefix:]
    image = patches.float().unflatten(0, native).permute(2, 0, 1).unsqueeze(0)
    resized = functional.interpolate(image, size=grid, mode="bicubic", antialias=True, align_corners=False)
    return functional.pad(resized[0].flatten(1).T.to(head), (0, 0, prefix, 0)) + functional.pad(
        head, (0, 0, 0, grid[0] * grid[1])
    )

"""OpenAI's ResNets with attention pooling: RN50, RN101, RN50x4 and so on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional

from semidavil_core.vlm.clip_towers import ClipTower, DenseMode
from semidavil_core.vlm.towers.convolutional import deepest_per_stride


class ModifiedResNetTower(ClipTower):
    """An open_clip ``ModifiedResNet``: the value path of its attention pool at every location (MaskCLIP), strides 4, 8 and 16."""

    def __init__(
        self, visual: nn.Module, *, mode: DenseMode, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__(visual, mean=mean, std=std)
        self.dense_mode = mode
        self._measure(32)

    def dense(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Value and output projection of the last stage, and the deepest map of each smaller stride."""
        *maps, last = self.visual.forward_intermediates(images, intermediates_only=True)[
            "image_intermediates"
        ]
        pool = self.visual.attnpool
        values = functional.conv2d(last, pool.v_proj.weight[:, :, None, None], pool.v_proj.bias)
        return functional.conv2d(
            values, pool.c_proj.weight[:, :, None, None], pool.c_proj.bias
        ), deepest_per_stride(maps, last)

    def tuned_names(self) -> Iterator[str]:
        """All convolution weights; the attention pool stays, as text is aligned with it."""
        for name, module in self.visual.named_modules():
            if isinstance(module, nn.Conv2d):
                yield f"{name}.weight"

"""Convolutional timm towers: EfficientNet (`mini`), FastViT (MobileCLIP), ConvNeXt, ResNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from semidavil_core.vlm.clip_towers import ClipTower, DenseMode

_LARGEST_STRIDE = 32
_EARLY = ("conv_stem", "stem", "blocks.0", "blocks.1.", "stages.0", "conv1", "layer1")


class ConvolutionalTower(ClipTower):
    """A timm convolutional trunk whose pooling and projection are applied to every location of its last map.

    Averaging a map and then projecting it linearly is the same as projecting every location and averaging, so the aligned map's
    mean is the tower's image embedding wherever the head is linear. The finer maps are the deepest of each smaller stride: 2, 4, 8
    and 16 for EfficientNet and ResNet, 4, 8 and 16 for FastViT and ConvNeXt.
    """

    largest_scale = 100.0

    def __init__(
        self, visual: nn.Module, *, mode: DenseMode, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__(visual, mean=mean, std=std)
        self.dense_mode = mode
        self._measure(_LARGEST_STRIDE)

    def dense(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Per-location projection of the last map, and the finer maps."""
        last, maps = self.visual.trunk.forward_intermediates(images)
        return self._project(last), deepest_per_stride(maps, last)

    def _project(self, last: Tensor) -> Tensor:
        # The trunk's own head sees each location as an image of one pixel: whatever norms it has stay in their place.
        batch, channels, height, width = last.shape
        pixels = last.permute(0, 2, 3, 1).reshape(-1, channels, 1, 1)
        projected: Tensor = self.visual.head(self.visual.trunk.forward_head(pixels))
        return projected.reshape(batch, height, width, -1).permute(0, 3, 1, 2)

    def tuned_names(self) -> Iterator[str]:
        """The trunk's convolutions from stride 8 on.

        The first stages see edges and colours, which hardly differ between domains, but their large maps would cost a third of
        a training step.
        """
        for name, module in self.visual.trunk.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith(_EARLY):
                yield from (f"trunk.{name}.{p}" for p, _ in module.named_parameters(recurse=False))


def deepest_per_stride(maps: Sequence[Tensor], last: Tensor) -> list[Tensor]:
    """Of `maps` in the order of depth, the last one of every grid that is finer than that of `last`; finest first."""
    by_width = {m.shape[-1] * m.shape[-2]: m for m in maps if m.shape[-1] > last.shape[-1]}
    return [by_width[cells] for cells in sorted(by_width, reverse=True)]

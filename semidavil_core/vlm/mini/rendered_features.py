"""Dense features of labelled rendered scenes, seen through many cameras: scale, flip, light and colour vary."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

STRIDE = 32
_LUMA = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class ViewSettings:
    """How rendered scenes are varied before the trunk sees them.

    Attributes
    ----------
    views : int
        Views per scene.
    shortest : tuple[int, int]
        Range of the shorter side in pixels that the trunk sees.
    false_colour : float
        Share of views whose brightness is shown through a random colour map, half of them as negatives.
    painted : float
        Share of views painted from the labels alone, every class in a colour of its own, as stains do (the idea of
        SynthSeg, Billot et al. 2023: where looks are random, only shape and place are left to learn).
    seed : int
        Seed of the draws.
    """

    views: int = 3
    shortest: tuple[int, int] = (320, 768)
    false_colour: float = 0.0
    painted: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class LabelledFeatures:
    """Features of places in the scenes of one data set.

    Attributes
    ----------
    prompts : tuple[tuple[str, ...], ...]
        For each of K classes its name and synonyms.
    features : torch.Tensor
        (N, C) float16 outputs of the trunk at N places.
    shares : torch.Tensor
        (N, K) float32 share of each class in the cell of the place; rows sum to one.
    """

    prompts: tuple[tuple[str, ...], ...]
    features: torch.Tensor
    shares: torch.Tensor

    def write(self, file: Path) -> None:
        """Keep everything in one safetensors file."""
        tensors = {"features": self.features, "shares": self.shares}
        save_file(tensors, file, metadata={"prompts": json.dumps(self.prompts)})

    @classmethod
    def read(cls, file: Path) -> LabelledFeatures:
        """Read what `write` kept."""
        with safe_open(file, framework="pt") as stored:
            prompts = json.loads(stored.metadata()["prompts"])
            features, shares = stored.get_tensor("features"), stored.get_tensor("shares")
        return cls(tuple(tuple(names) for names in prompts), features, shares)


def extract_features(trunk: torch.nn.Module, folder: Path, settings: ViewSettings) -> LabelledFeatures:
    """Run the trunk over `settings.views` views of every scene in `folder`.

    Parameters
    ----------
    trunk : torch.nn.Module
        A timm network in eval mode with ``forward_features``.
    folder : Path
        Holds ``images/``, ``labels/`` (class values, 255 unlabelled) and, here or one above, ``classes.json``.
    settings : ViewSettings
        How many views and of what kind.
    """
    classes = _read_classes(folder)
    generator = torch.Generator().manual_seed(settings.seed)
    features, shares = [], []
    for image, labels in _scenes(folder, [entry["value"] for entry in classes]):
        for _ in range(settings.views):
            seen, cells = _vary(image, labels, settings, generator)
            with torch.inference_mode():
                maps = trunk.forward_features((seen * 2 - 1)[None])[0]  # type: ignore[operator]
            known = cells.sum(0) > 0.5
            features.append(maps[:, known].T.half())
            shares.append(F.normalize(cells[:, known].T, p=1, dim=-1))
    log.info("%s: %d places from %d views", folder, sum(map(len, features)), len(features))
    prompts = tuple(tuple(dict.fromkeys([entry["name"], *entry["prompts"]])) for entry in classes)
    return LabelledFeatures(prompts, torch.cat(features).clone(), torch.cat(shares))


def _read_classes(folder: Path) -> list[dict[str, Any]]:
    file = folder / "classes.json"
    return list(json.loads((file if file.is_file() else folder.parent / "classes.json").read_text("utf-8")))


def _scenes(folder: Path, values: Sequence[int]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the picture (3, H, W) float32 in [0, 1] and its classes (K, H, W) float32 one-hot."""
    for file in sorted((folder / "images").iterdir()):
        label_file = folder / "labels" / f"{file.stem}.png"
        if not label_file.is_file():
            continue
        with Image.open(file) as picture, Image.open(label_file) as label_map:
            pixels: NDArray[np.uint8] = np.array(picture.convert("RGB"))
            classes: torch.Tensor = torch.from_numpy(np.array(label_map).astype(np.int64))
        onehot = torch.stack([torch.eq(classes, value).float() for value in values])
        yield torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, onehot


def _vary(
    image: torch.Tensor, labels: torch.Tensor, settings: ViewSettings, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one view (3, H', W') with sides of whole cells, and class shares (K, H' / 32, W' / 32)."""
    kind = _uniform(generator, 0, 1)
    if kind < settings.painted:
        image = _paint(labels, generator)
    elif kind < settings.painted + settings.false_colour:
        image = _falsify(image, generator)
    shortest = _uniform(generator, *settings.shortest)
    zoom = shortest / min(image.shape[1:])
    height, width = (max(2, round(side * zoom / STRIDE)) for side in image.shape[1:])
    seen = F.interpolate(
        image[None], (height * STRIDE, width * STRIDE), mode="bilinear", antialias=True, align_corners=False
    )[0]
    cells = F.interpolate(labels[None], (height, width), mode="area")[0]
    if _uniform(generator, 0, 1) < 0.5:
        seen, cells = seen.flip(-1), cells.flip(-1)
    return _recolour(seen, generator), cells


def _recolour(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Other light, film and lens: gamma, gain, colour cast, saturation, contrast, blur, grain."""
    image = image.clamp(1e-3, 1) ** float(np.exp(_uniform(generator, -0.5, 0.5)))
    cast = 1 + 0.2 * (torch.rand(3, 1, 1, generator=generator) * 2 - 1)
    image = image * cast * _uniform(generator, 0.7, 1.2)
    grey = (image * _LUMA[:, None, None]).sum(0, keepdim=True)
    image = grey + (image - grey) * _uniform(generator, 0.0, 1.4)
    mean = grey.mean()
    image = mean + (image - mean) * _uniform(generator, 0.6, 1.3)
    if _uniform(generator, 0, 1) < 0.5:
        image = _soften(image, _uniform(generator, 1.2, 3.0))
    grain = torch.randn(image.shape, generator=generator) * _uniform(generator, 0, 0.06)
    return (image + grain).clamp(0, 1)


def _falsify(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Show brightness through a random colour map, light on dark or dark on light."""
    grey = (image * _LUMA[:, None, None]).sum(0, keepdim=True)
    grey = (grey - grey.min()) / (grey.max() - grey.min()).clamp(min=1e-3)
    if _uniform(generator, 0, 1) < 0.5:
        grey = 1 - grey
    black = grey.flatten()[::7].quantile(_uniform(generator, 0, 0.6))  # an empty ground often shows as black
    grey = ((grey - black) / (1 - black).clamp(min=0.1)).clamp(0, 1)
    curves = torch.exp(torch.randn(3, 1, 1, generator=generator) * 0.6)
    gains = torch.rand(3, 1, 1, generator=generator)
    return grey**curves * gains / gains.max().clamp(min=0.1)


def _paint(labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Show class k in colour k, the first one (the ground) near black or near white, shaded and softened."""
    count, height, width = labels.shape
    colours = torch.rand(count, 3, generator=generator)
    ground = _uniform(generator, 0, 0.15)
    colours[0] = ground if _uniform(generator, 0, 1) < 0.5 else 1 - ground
    shading = torch.rand(1, count, 9, 9, generator=generator) * 0.8 + 0.4
    shading = F.interpolate(shading, (height, width), mode="bicubic", align_corners=False)[0]
    painted = torch.einsum("khw,kc->chw", labels * shading, colours).clamp(0, 1)
    return _soften(painted, _uniform(generator, 1.2, 2.5))


def _soften(image: torch.Tensor, factor: float) -> torch.Tensor:
    """Lose detail by a smaller size on the way, as an upscaled or defocused picture does."""
    size = image.shape[1:]
    small = F.interpolate(
        image[None], scale_factor=1 / factor, mode="bilinear", antialias=True, align_corners=False
    )
    return F.interpolate(small, (size[0], size[1]), mode="bicubic", align_corners=False)[0]


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))

"""Make `mini` from its two starting points: ``python -m semidavil_core.vlm.mini.recipe --out FOLDER``.

1. A small text tower learns to put words where a sentence encoder puts them.
2. The image trunk keeps its ImageNet weights; a small head learns to put every place of an image near its name,
   from rendered scenes with labels and from the trunk's own classifier.
3. Both are written as one open_clip folder.

Everything is seeded. What is slow is kept in ``--work``, so a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip import IMAGENET_CLASSNAMES
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file, save_file

from semidavil_core.vlm.mini.image_alignment import AlignmentSettings, Classifier, NamedFeatures, align
from semidavil_core.vlm.mini.joint_model import (
    CONTEXT_LENGTH,
    EMBED_DIM,
    create_untrained,
    image_head,
    write_model,
)
from semidavil_core.vlm.mini.phrases import OTHER_NAMES, concept_phrases, split_phrases
from semidavil_core.vlm.mini.rendered_features import LabelledFeatures, ViewSettings, extract_features
from semidavil_core.vlm.mini.starting_weights import load_sentence_encoder, load_trunk
from semidavil_core.vlm.mini.street_scenes import render_streets
from semidavil_core.vlm.mini.text_distillation import DistillationSettings, distil, start_from_targets
from semidavil_core.vlm.mini.text_targets import TextSpace
from semidavil_core.vlm.mini.vocabulary import build_corpus

log = logging.getLogger(__name__)

PROMPTS = ("{}", "a photo of a {}.", "a {} in the scene.", "a bad photo of a {}.")
_HERE = Path(__file__).parent
_COMPOSITIONS = 20_000
_USUAL_MINUTES = 30.0


@dataclass(frozen=True)
class Recipe:
    """How much of everything.

    Attributes
    ----------
    text : DistillationSettings
        Of the text tower.
    image : AlignmentSettings
        Of the image head.
    streets : int
        Streets to render beside the shipped ones.
    street_views, cell_views : ViewSettings
        How scenes are varied.
    seed : int
        Seed of the random start.
    """

    text: DistillationSettings = field(default_factory=DistillationSettings)
    image: AlignmentSettings = field(default_factory=AlignmentSettings)
    streets: int = 160
    street_views: ViewSettings = field(default_factory=ViewSettings)
    cell_views: ViewSettings = field(
        default_factory=lambda: ViewSettings(views=8, shortest=(256, 640), false_colour=0.3, painted=0.3)
    )
    seed: int = 0

    def within(self, minutes: float) -> Recipe:
        """Return the recipe with everything cut to about `minutes` of one idle core."""
        share = minutes / _USUAL_MINUTES
        return replace(
            self,
            text=replace(self.text, steps=max(100, round(self.text.steps * share))),
            image=replace(self.image, steps=max(100, round(self.image.steps * share))),
            streets=max(4, round(self.streets * share)),
        )


def cook(recipe: Recipe, out: Path, work: Path, sample_data: Path) -> None:
    """Build `mini` into `out`.

    Parameters
    ----------
    recipe : Recipe
        How much of everything.
    out : Path
        Receives ``open_clip_config.json`` and ``open_clip_model.safetensors``.
    work : Path
        Keeps the slow steps' results.
    sample_data : Path
        The checkout's ``sample_data``.
    """
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = SimpleTokenizer(context_length=CONTEXT_LENGTH)
    model = create_untrained(recipe.seed)
    _teach_text(model, tokenizer, recipe.text, work / "text.safetensors")
    model.requires_grad_(False).eval()
    trunk = load_trunk()
    model.visual.trunk.load_state_dict(trunk.state_dict(), strict=False)  # all but the classifier
    scenes = _see_scenes(trunk, recipe, work, sample_data)
    _align_image(model, tokenizer, trunk, scenes, recipe.image)
    model.logit_scale.data.fill_(torch.tensor(recipe.image.scale).log())
    write_model(model, out)
    log.info("wrote %s", out)


def embed_names(model: Any, tokenizer: Any, names: Sequence[str]) -> torch.Tensor:
    """Return (N, P, D) unit rows: each name in every prompt."""
    with torch.inference_mode():
        rows = [
            model.encode_text(tokenizer([prompt.format(name) for prompt in PROMPTS]), normalize=True)
            for name in names
        ]
    return torch.stack(rows).clone()


def _teach_text(model: Any, tokenizer: Any, settings: DistillationSettings, kept: Path) -> None:
    if kept.is_file():
        model.load_state_dict(load_file(kept), strict=False)
        return
    corpus = build_corpus(list(tokenizer.encoder), IMAGENET_CLASSNAMES, _COMPOSITIONS, settings.seed)
    space = TextSpace.fit(load_sentence_encoder(), corpus.nouns, EMBED_DIM)
    word_ids = [tokenizer.encoder[f"{word}</w>"] for word in corpus.words]
    start_from_targets(model, word_ids, space.targets(corpus.words))
    distil(model, tokenizer, corpus, space, settings)
    text = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("visual.")}
    save_file(text, kept)


def _see_scenes(trunk: Any, recipe: Recipe, work: Path, sample_data: Path) -> list[LabelledFeatures]:
    streets = work / "streets"
    render_streets(sample_data, streets, recipe.streets)
    return [
        _kept_features(trunk, streets, recipe.street_views, work / "streets.safetensors"),
        _kept_features(
            trunk, sample_data / "cells" / "source", recipe.cell_views, work / "cells.safetensors"
        ),
    ]


def _kept_features(trunk: Any, folder: Path, views: ViewSettings, kept: Path) -> LabelledFeatures:
    if kept.is_file():
        return LabelledFeatures.read(kept)
    features = extract_features(trunk, folder, views)
    features.write(kept)
    return features


def _align_image(
    model: Any, tokenizer: Any, trunk: Any, scenes: Sequence[LabelledFeatures], settings: AlignmentSettings
) -> None:
    imagenet = F.normalize(embed_names(model, tokenizer, IMAGENET_CLASSNAMES).mean(1), dim=-1)
    weight, bias = trunk.classifier.weight.detach(), trunk.classifier.bias.detach()
    data = [_name_scene(model, tokenizer, scene) for scene in scenes]
    distractors = embed_names(model, tokenizer, concept_phrases())[:, 0]
    head, first = image_head(model)
    head.requires_grad_(True)
    align(head, first, data, Classifier(weight, bias, imagenet), distractors, settings)
    head.requires_grad_(False)


def _name_scene(model: Any, tokenizer: Any, scene: LabelledFeatures) -> NamedFeatures:
    others = [split_phrases(OTHER_NAMES.get(prompts[0], "")) for prompts in scene.prompts]
    return NamedFeatures(
        scene,
        names=tuple(tuple(embed_names(model, tokenizer, prompts)) for prompts in scene.prompts),
        other_names=tuple(tuple(embed_names(model, tokenizer, names)) if names else () for names in others),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and cook."""
    parser = argparse.ArgumentParser(prog="python -m semidavil_core.vlm.mini.recipe", description=__doc__)
    parser.add_argument("--out", type=Path, default=_HERE, help="folder of the model (default: in place)")
    parser.add_argument(
        "--work", type=Path, default=Path("build/mini"), help="folder for intermediate results"
    )
    parser.add_argument("--sample-data", type=Path, default=_HERE.parents[2] / "sample_data")
    parser.add_argument(
        "--minutes", type=float, help="cut everything to about so many minutes of one idle core"
    )
    chosen = parser.parse_args(arguments)
    recipe = Recipe() if chosen.minutes is None else Recipe().within(chosen.minutes)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cook(recipe, chosen.out, chosen.work, chosen.sample_data)


if __name__ == "__main__":
    main()

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.data.domains import open_labelled
from semidavil_core.errors import InvalidSettings
from semidavil_core.inference.zero_shot import ZeroShotSettings, zero_shot_probabilities
from semidavil_core.samples import sample_folder
from semidavil_core.vlm.loading import Vlm, load_vlm
from semidavil_core.vlm.text_embeddings import embed_classes
from tests.core.tiny_vlm import write_folder


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(str(write_folder(tmp_path_factory.mktemp("vlm") / "tiny")))


@pytest.fixture(scope="module")
def text(vlm: Vlm) -> torch.Tensor:
    return embed_classes(vlm.text, ClassSet.from_names(["sky", "road", "tree"]))


def _image(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(8, 8), (33, 70), (1, 5), (130, 64)])
@pytest.mark.parametrize("settings", [ZeroShotSettings(), ZeroShotSettings(scale=2, flip=True, window=64)])
def test_an_image_of_any_size_gets_probabilities_that_sum_to_one(
    vlm: Vlm, text: torch.Tensor, size: tuple[int, int], settings: ZeroShotSettings
) -> None:
    probabilities = zero_shot_probabilities(vlm, text, _image(*size), settings)
    assert probabilities.shape == (3, *size)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-4)
    assert (probabilities >= 0).all()


def test_a_single_class_is_certain_everywhere(vlm: Vlm, text: torch.Tensor) -> None:
    np.testing.assert_allclose(zero_shot_probabilities(vlm, text[:1], _image(20, 20)), 1)


def test_the_flip_average_of_a_mirrored_image_is_the_mirrored_answer(vlm: Vlm, text: torch.Tensor) -> None:
    image, settings = _image(32, 48), ZeroShotSettings(flip=True)
    straight = zero_shot_probabilities(vlm, text, image, settings)
    mirrored = zero_shot_probabilities(vlm, text, np.ascontiguousarray(image[:, ::-1]), settings)
    np.testing.assert_allclose(mirrored[..., ::-1], straight, atol=1e-4)
    plain = zero_shot_probabilities(vlm, text, image)
    assert not np.allclose(plain, straight, atol=1e-4)


def test_the_softmax_uses_the_models_dense_temperature(vlm: Vlm, text: torch.Tensor) -> None:
    image = _image(32, 32)
    with torch.no_grad():
        aligned = vlm.tower(torch.from_numpy(image).permute(2, 0, 1)[None] / 255).aligned
        cosine = torch.einsum("bdhw,kd->bkhw", torch.nn.functional.normalize(aligned, dim=1), text)
        logits = torch.nn.functional.interpolate(vlm.logit_scale * cosine, size=(32, 32), mode="bilinear")
    expected = logits.softmax(1)[0].numpy()
    np.testing.assert_allclose(zero_shot_probabilities(vlm, text, image), expected, atol=1e-5)


def test_the_order_of_classes_only_orders_the_maps(vlm: Vlm, text: torch.Tensor) -> None:
    image = _image(24, 24)
    straight = zero_shot_probabilities(vlm, text, image)
    np.testing.assert_allclose(zero_shot_probabilities(vlm, text.flip(0), image)[::-1], straight, atol=1e-5)


@pytest.mark.parametrize("settings", [{"scale": 0}, {"window": 10}, {"overlap": 1}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(settings))):
        ZeroShotSettings(**settings)  # type: ignore[arg-type]


def test_mini_tells_the_sky_from_the_road_of_a_street() -> None:
    vlm = load_vlm("mini", allow_download=False)
    folder = sample_folder("streets")
    classes = ClassSet.read(folder)
    street = open_labelled(folder / "source", classes)[0]
    assert street.labels is not None
    text = embed_classes(vlm.text, ClassSet.from_names(["sky", "road"]))
    sky = zero_shot_probabilities(vlm, text, street.image)[0]
    above = sky[street.labels == classes.index("sky")].mean()
    assert above > sky[street.labels == classes.index("road")].mean() + 0.2

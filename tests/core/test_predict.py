from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from semidavil_core.errors import AdaptationFailed
from semidavil_core.inference.predict import Prediction, Predictor
from semidavil_core.model.readout import Readout
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import PredictSettings
from tests.core.tiny_tower import scene, tiny_segmenter


class Pointwise(nn.Module):
    """Logits that depend on the pixel alone; what tiles cannot change."""

    num_classes = 3
    readout = Readout()

    def __init__(self) -> None:
        super().__init__()
        self.text = nn.Parameter(torch.zeros(3, 1))
        self.sizes: list[tuple[int, int]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append((images.shape[-2], images.shape[-1]))
        return 5 * images


class LeftIsFirst(Pointwise):
    """Prefers class 0 at the left and class 2 at the right of whatever it is shown."""

    def forward(self, images: Tensor) -> Tensor:
        ramp = torch.linspace(1, -1, images.shape[-1]).expand(images.shape[0], 1, images.shape[2], -1)
        return torch.cat([ramp, torch.zeros_like(ramp), -ramp], 1)


def predicted(network: nn.Module, image: NDArray[np.uint8], **settings: Any) -> Prediction:
    return Predictor(cast("Segmenter", network), PredictSettings(**settings)).predict(image)


def noise(*size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def test_tiles_of_a_pointwise_network_blend_to_the_whole() -> None:
    image, network = noise(150, 201), Pointwise()
    tiled = predicted(network, image, tile=64, flip=False)
    assert len(network.sizes) > 6
    whole = predicted(Pointwise(), image, tile=256, flip=False)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-6)
    expected = torch.from_numpy(image / 255.0).movedim(-1, 0).mul(5).softmax(0).numpy()
    np.testing.assert_allclose(whole.probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (7, 90), (130, 70)])
def test_a_prediction_has_the_images_size_and_sums_to_one(size: tuple[int, int]) -> None:
    result = predicted(tiny_segmenter(trained=True), noise(*size), tile=64)
    assert (result.labels.shape, result.labels.dtype) == (size, np.uint8)
    assert (result.confidence.shape, result.confidence.dtype) == (size, np.float32)
    assert (result.probabilities.shape, result.probabilities.dtype) == ((3, *size), np.float32)
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(result.probabilities.argmax(0), result.labels)
    np.testing.assert_array_equal(result.probabilities.max(0), result.confidence)


def test_averaging_with_the_mirrored_image_takes_a_side_preference_out() -> None:
    lopsided = predicted(LeftIsFirst(), noise(10, 20), flip=False)
    assert lopsided.probabilities[0, 0, 0] > lopsided.probabilities[0, 0, -1] + 0.3
    even = predicted(LeftIsFirst(), noise(10, 20), flip=True)
    np.testing.assert_allclose(even.probabilities, even.probabilities[..., ::-1], atol=1e-6)


def test_a_mirrored_image_gets_the_mirrored_prediction() -> None:
    segmenter, image = tiny_segmenter(trained=True), scene(size=(32, 40))[0]
    straight = predicted(segmenter, image)
    mirrored = predicted(segmenter, np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(mirrored.probabilities[..., ::-1], straight.probabilities, atol=1e-5)


def test_zooms_are_averaged_at_the_images_size() -> None:
    network, image = Pointwise(), scene(size=(40, 60))[0]
    both = predicted(network, image, scales=(0.5, 1.0), flip=False)
    assert network.sizes == [(20, 30), (40, 60)]
    one, half = (predicted(Pointwise(), image, scales=(s,), flip=False).probabilities for s in (1.0, 0.5))
    np.testing.assert_allclose(both.probabilities, (one + half) / 2, atol=1e-6)


def test_predicting_leaves_the_network_in_the_mode_it_was_in() -> None:
    for training in (True, False):
        segmenter = tiny_segmenter().train(training)
        predicted(segmenter, noise(16, 16))
        assert segmenter.training is training


def test_a_network_that_was_predicted_with_can_still_be_trained() -> None:
    segmenter = tiny_segmenter().requires_grad_(True)
    predicted(segmenter, noise(16, 16))
    segmenter(torch.rand(1, 3, 16, 16)).sum().backward()
    assert segmenter.decoder.pixel_embedding.weight.grad is not None


def test_the_image_is_left_alone_and_may_be_read_only_or_strided() -> None:
    image = noise(20, 40)[:, ::2]
    image.flags.writeable = False
    before = image.copy()
    predicted(tiny_segmenter(), image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory.\nTried a lot"), MemoryError()])
def test_what_torch_fails_at_is_told_in_a_sentence(error: Exception) -> None:
    class Hungry(Pointwise):
        def forward(self, images: Tensor) -> Tensor:
            raise error

    network = Hungry()
    with pytest.raises(AdaptationFailed, match=r"20 x 10 pixels.*tile size"):
        predicted(network, noise(10, 20))
    assert network.training


def test_a_temperature_makes_a_prediction_less_sure_and_calls_nothing_otherwise() -> None:
    network, image = Pointwise(), noise(20, 30)
    sharp = predicted(network, image)
    network.readout = Readout(temperature=2.0)
    mild = predicted(network, image)
    np.testing.assert_array_equal(mild.labels, sharp.labels)
    assert (mild.confidence < sharp.confidence).all()


def test_a_class_that_hardly_shows_in_an_image_needs_more_to_be_believed() -> None:
    network = Pointwise()
    image = np.full((20, 30, 3), (200, 100, 0), np.uint8)
    image[:2, :3] = (150, 100, 160)  # a little of class 2, narrowly
    image[10:12, :3] = (0, 0, 250)  # and clearly
    plain = predicted(network, image)
    assert (plain.labels[:2, :3] == 2).all()
    assert (plain.class_weights == 1).all()
    network.readout = Readout(image_prior=0.3)
    weighed = predicted(network, image)
    assert (weighed.labels[:2, :3] == 0).all()
    assert (weighed.labels[10:12, :3] == 2).all()
    np.testing.assert_allclose(weighed.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(weighed.confidence, weighed.probabilities.max(0))
    undone = weighed.probabilities / weighed.class_weights[:, None, None]
    np.testing.assert_allclose(undone / undone.sum(0), plain.probabilities, atol=1e-5)


def test_settings_may_say_otherwise_than_the_model() -> None:
    network, image = Pointwise(), noise(20, 30)
    plain = predicted(network, image)
    network.readout = Readout(image_prior=0.5)
    without = predicted(network, image, image_prior=0.0)
    np.testing.assert_array_equal(without.probabilities, plain.probabilities)
    other = predicted(network, image, image_prior=0.2)
    network.readout = Readout(image_prior=0.2)
    np.testing.assert_array_equal(predicted(network, image).probabilities, other.probabilities)
    assert (other.probabilities != plain.probabilities).any()

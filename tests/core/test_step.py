from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from semidavil_core.adaptation import step as step_module
from semidavil_core.adaptation.features import FeatureCache
from semidavil_core.adaptation.step import AdaptationStep, Guides, Kept, StepLosses
from semidavil_core.adaptation.step_batch import BatchMaker, StepBatch, Views
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.batches import CropGeometry, CropStream
from semidavil_core.losses.consistency import weighted_cross_entropy
from semidavil_core.losses.dynamic_cross_entropy import dynamic_cross_entropy
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings
from tests.core.tiny_tower import source_domain, target_domain, tiny_segmenter

QUIET: dict[str, Any] = {
    "consistency": 0.0, "negative": 0.0, "contrastive": 0.0, "clip_guidance": 0.0, "clip_prior": 0.0,
    "anchor": 0.0, "mix_source": 0.0, "mix_target": 0.0,
}  # fmt: skip


def draw(settings: AdaptSettings, *, source: bool = True) -> StepBatch:
    geometry = CropGeometry(32, 0.8, 1.2)
    return BatchMaker(
        source=CropStream(source_domain(), geometry, num_classes=3, seed=1) if source else None,
        target=CropStream(target_domain(), geometry, num_classes=3, seed=2),
        settings=settings,
        device=torch.device("cpu"),
    ).draw()


def network() -> Segmenter:
    """A segmenter that finds some classes improbable."""
    model = tiny_segmenter(trained=True)
    model.logit_scale = 40.0
    return model


def step_of(
    settings: AdaptSettings,
    *,
    guides: Guides | None = None,
    cached: bool = False,
    student: Segmenter | None = None,
    proven: tuple[int, ...] = (),
) -> AdaptationStep:
    student = student or network()
    if cached:
        student.tower.requires_grad_(False)
    return AdaptationStep(
        student=student,
        teacher=network().requires_grad_(False),
        guides=guides or Guides(),
        settings=settings,
        cache=FeatureCache(student) if cached else None,
        rng=np.random.default_rng(0),
        proven=proven,
    )


def losses(
    *,
    source: bool = True,
    guides: Guides | None = None,
    cached: bool = False,
    fade: float = 1.0,
    **changes: Any,
) -> StepLosses:
    settings = AdaptSettings(crop=32, **{**QUIET, **changes})
    return step_of(settings, guides=guides, cached=cached).losses(draw(settings, source=source), fade=fade)


def guide(scale: float = 1000.0) -> Segmenter:
    """A frozen companion; sure of itself, or with `scale` 0 sure of nothing."""
    model = tiny_segmenter(seed=5).requires_grad_(False).eval()
    model.logit_scale = scale
    return model


def names(found: StepLosses) -> set[str]:
    """The parts that pull."""
    return {name for name, part in found.parts.items() if float(part.detach()) != 0}


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("source_weight", "source"),
        ("labelled_weight", "strokes"),
        ("consistency", "consistency"),
        ("negative", "negative"),
        ("contrastive", "contrastive"),
        ("clip_guidance", "guidance"),
        ("anchor", "anchor"),
    ],
)
@pytest.mark.parametrize("cached", [False, True])
def test_each_part_of_the_loss_comes_with_its_weight_and_goes_without(
    setting: str, part: str, *, cached: bool
) -> None:
    alone: dict[str, Any] = {**QUIET, "source_weight": 0.0, "labelled_weight": 0.0, "clip_prior": 0.0}
    guides = Guides(zero_shot=guide(), source=guide())
    assert names(losses(guides=guides, cached=cached, **{**alone, setting: 0.5})) == {part}
    others: dict[str, Any] = {s: 0.5 for s in alone if not s.startswith(("mix", "clip_prior"))}
    everything = names(losses(guides=guides, cached=cached, **{**alone, **others}))
    without = names(losses(guides=guides, cached=cached, **{**alone, **others, setting: 0.0}))
    assert everything - without == {part}


def test_a_parts_weight_scales_it() -> None:
    light, heavy = losses(negative=0.5), losses(negative=2.0)
    torch.testing.assert_close(heavy.parts["negative"], 4 * light.parts["negative"])


def test_the_total_is_the_sum_of_the_parts() -> None:
    found = losses(consistency=1.0, negative=0.1)
    torch.testing.assert_close(found.total, sum(found.parts.values(), torch.zeros(())))
    assert torch.isfinite(found.total)


def test_without_pseudo_labels_there_is_no_confidence_to_tell() -> None:
    assert losses().mean_confidence is None
    confidence = losses(consistency=1.0).mean_confidence
    assert confidence is not None
    assert 0 < confidence <= 1


def test_confidence_is_told_even_where_no_pseudo_label_reaches_the_threshold() -> None:
    found = losses(consistency=1.0, threshold=1.0)
    assert found.mean_confidence == losses(consistency=1.0, threshold=0.0).mean_confidence


def test_without_a_source_its_part_and_its_pastes_are_missing() -> None:
    found = losses(source=False, consistency=1.0, mix_source=1.0, negative=0.1, contrastive=0.1)
    assert names(found) == {"strokes", "consistency", "negative", "contrastive"}


@pytest.mark.parametrize("source", [False, True])
@pytest.mark.parametrize("cached", [False, True])
def test_every_trained_weight_gets_a_finite_gradient(*, source: bool, cached: bool) -> None:
    settings = AdaptSettings(crop=32, mix_source=0.5, mix_target=0.5)
    student = network()
    step = step_of(settings, cached=cached, student=student)
    step.losses(draw(settings, source=source), fade=1.0).total.backward()  # type: ignore[no-untyped-call]
    head = [*student.guidance.parameters(), *student.decoder.parameters()]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in head)
    assert any(p.grad.abs().sum() > 0 for p in head if p.grad is not None)
    tower = [p.grad for p in student.tower.parameters()]
    assert all(g is None for g in tower) if cached else any(g is not None and g.any() for g in tower)


def test_cached_and_full_mode_agree_where_nothing_is_mixed() -> None:
    changes: dict[str, Any] = {"consistency": 1.0, "negative": 0.1, "contrastive": 0.1}
    full, cached = losses(**changes), losses(cached=True, **changes)
    for name, part in full.parts.items():
        torch.testing.assert_close(cached.parts[name], part, atol=5e-3, rtol=5e-3)


def always(chosen: int) -> Segmenter:
    """A model that says one class everywhere, with a confidence of about 0.84."""

    class One(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            logits = images.new_zeros(len(images), 3, *images.shape[-2:])
            logits[:, chosen] = 2.35
            return logits

    return cast("Segmenter", One())


@pytest.mark.parametrize(
    ("kept", "stays"),
    [
        (Kept(always(2), unpainted=(2,), sure=2.0), True),
        (Kept(always(1), unpainted=(2,), sure=2.0), False),
        (Kept(always(1), unpainted=(2,), sure=0.8), True),
        (Kept(always(1), unpainted=(), sure=0.9), False),
    ],
    ids=["unpainted", "painted", "painted but sure", "not sure enough"],
)
def test_what_strokes_say_nothing_of_stays_as_it_was(kept: Kept, *, stays: bool) -> None:
    settings = AdaptSettings(crop=32, **QUIET)
    batch = draw(settings)
    found = step_of(settings, guides=Guides(kept=kept)).losses(batch, fade=0.0).parts["kept"]
    if not stays:
        assert found == 0
        return
    student = network()
    says = int(kept.model(batch.target.weak)[0].argmax(0)[0, 0])
    free = (batch.target.labels == IGNORE_INDEX) & batch.target.inside
    logits = student(torch.cat([batch.source.strong, batch.target.strong]))[len(batch.source) :]  # type: ignore[arg-type, union-attr]
    sure = float(np.exp(2.35) / (np.exp(2.35) + 2))
    expected = -sure * logits.log_softmax(1)[:, says][free].sum() / batch.target.inside.sum()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def hinted(batch: StepBatch) -> StepBatch:
    """`batch` with a hint of class 2 on the upper half of every target crop."""
    hints = torch.full_like(batch.target.labels, IGNORE_INDEX)
    hints[:, : hints.shape[1] // 2] = 2
    return replace(batch, target=replace(batch.target, hints=hints))


@pytest.mark.parametrize("proven", [(2,), (1,), ()])
def test_hints_of_a_proven_name_teach_beside_strokes_before_pseudo_labels_do(proven: tuple[int, ...]) -> None:
    settings = AdaptSettings(crop=32, **QUIET)
    batch, student = hinted(draw(settings)), network()
    found = step_of(settings, student=student, proven=proven).losses(batch, fade=0.0)
    if 2 not in proven:
        assert "names" not in names(found)
        return
    target = batch.target
    logits = student(torch.cat([batch.source.strong, target.strong]))[len(batch.source) :]  # type: ignore[arg-type, union-attr]
    free = (target.hints == 2) & (target.labels == IGNORE_INDEX) & target.inside
    assert 0 < free.sum() < (target.hints == 2).sum(), "some strokes lie under the hints"
    expected = -0.1 * logits.log_softmax(1)[:, 2][free].mean()
    torch.testing.assert_close(found.parts["names"], expected, rtol=1e-3, atol=1e-4)


def test_hints_take_the_place_of_pseudo_labels_however_sure_these_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(monkeypatch)
    settings = AdaptSettings(crop=32, **{**QUIET, "consistency": 1.0, "confidence": "soft"})
    batch = hinted(draw(settings))
    step_of(settings).losses(batch, fade=0.0)
    step_of(settings).losses(draw(settings), fade=0.0)
    target = batch.target
    free = (target.hints == 2) & (target.labels == IGNORE_INDEX) & target.inside
    (labels, weights), (alone, unhinted) = recorder.pseudo
    assert (labels[free] == 2).all()
    assert (weights[free] == 1).all()
    assert torch.equal(labels[~free], alone[~free])
    assert torch.equal(weights[~free], unhinted[~free])
    assert (unhinted[free] < 1).any()


def test_guides_fade_out() -> None:
    guides = Guides(zero_shot=guide(), source=guide())
    strong = losses(guides=guides, clip_guidance=1.0, anchor=1.0)
    weak = losses(guides=guides, clip_guidance=1.0, anchor=1.0, fade=0.25)
    gone = losses(guides=guides, clip_guidance=1.0, anchor=1.0, fade=0.0)
    for name in ("guidance", "anchor"):
        torch.testing.assert_close(weak.parts[name], strong.parts[name] / 4)
        assert name not in gone.parts


def test_a_guide_that_is_unsure_everywhere_teaches_nothing() -> None:
    found = losses(guides=Guides(zero_shot=guide(0.0), source=guide(0.0)), clip_guidance=1.0, anchor=1.0)
    assert names(found) == {"source", "strokes"}


def test_a_prior_changes_the_pseudo_labels_until_it_has_faded() -> None:
    plain = losses(consistency=1.0)
    guides = Guides(zero_shot=guide())
    led = losses(consistency=1.0, guides=guides, clip_prior=1.0)
    faded = losses(consistency=1.0, guides=guides, clip_prior=1.0, fade=0.0)
    assert not torch.isclose(led.parts["consistency"], plain.parts["consistency"])
    torch.testing.assert_close(faded.parts["consistency"], plain.parts["consistency"])


class Recorder:
    """Listens to what a step hands to its losses and to the student."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.strokes: list[Tensor] = []
        self.pseudo: list[tuple[Tensor, Tensor]] = []
        self.images: list[Tensor] = []

        def dyce(logits: Tensor, labels: Tensor, **options: Any) -> Tensor:
            self.strokes.append(labels)
            return dynamic_cross_entropy(logits, labels, **options)

        def consistency(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
            self.pseudo.append((labels, weights))
            return weighted_cross_entropy(logits, labels, weights)

        decode = Segmenter.decode

        def recorded(model: Segmenter, features: Any, images: Tensor) -> Tensor:
            if any(p.requires_grad for p in model.parameters()):
                self.images.append(images)
            return decode(model, features, images)

        monkeypatch.setattr(step_module, "dynamic_cross_entropy", dyce)
        monkeypatch.setattr(step_module, "weighted_cross_entropy", consistency)
        monkeypatch.setattr(Segmenter, "decode", recorded)


def views(image_value: float, labels: Tensor, name: str) -> Views:
    """Crops of one colour whose strong view is their weak one."""
    count, size, _ = labels.shape
    images = torch.full((count, 3, size, size), image_value)
    inside = torch.ones(count, size, size, dtype=torch.bool)
    hints = torch.full_like(labels, IGNORE_INDEX)
    return Views(images, images, labels, inside, hints, tuple((name, i) for i in range(count)))


def halves(top: int, bottom: int, count: int = 1, size: int = 32) -> Tensor:
    labels = torch.full((count, size, size), top, dtype=torch.uint8)
    labels[:, size // 2 :] = bottom
    return labels


def left_painted() -> Tensor:
    """Strokes of class 2 on the left half, nothing on the right."""
    labels = halves(2, 2)
    labels[..., 16:] = IGNORE_INDEX
    return labels


@pytest.fixture
def pasted(monkeypatch: pytest.MonkeyPatch) -> tuple[Recorder, Tensor]:
    """A step on a bright source of two classes and a dark target with strokes, and where the source was pasted."""
    settings = AdaptSettings(
        crop=32,
        source_batch=1,
        labelled_batch=1,
        unlabelled_batch=0,
        mix_source=1.0,
        mix_target=0.0,
        confidence="soft",
    )
    recorder = Recorder(monkeypatch)
    batch = StepBatch(views(0.9, halves(0, 1), "source"), views(0.1, left_painted(), "target"))
    step_of(settings).losses(batch, fade=1.0)
    _, on_target = recorder.images[0]
    return recorder, on_target[0] > 0.5


def test_half_of_a_source_crops_classes_are_pasted(pasted: tuple[Recorder, Tensor]) -> None:
    _, mask = pasted
    source = halves(0, 1)[0]
    assert any(torch.equal(mask, source == k) for k in (0, 1))


def test_pasted_pixels_carry_the_sources_labels_with_weight_one(pasted: tuple[Recorder, Tensor]) -> None:
    recorder, mask = pasted
    (labels, weights), *_ = recorder.pseudo
    assert torch.equal(labels[0][mask], halves(0, 1)[0][mask])
    assert (weights[0][mask] == 1).all()


def test_human_strokes_win_in_the_pseudo_labels_beside_the_paste(pasted: tuple[Recorder, Tensor]) -> None:
    recorder, mask = pasted
    (labels, weights), *_ = recorder.pseudo
    painted = left_painted()[0] == 2
    assert (labels[0][~mask & painted] == 2).all()
    assert (weights[0][~mask & painted] == 1).all()
    assert (weights[0][~mask & ~painted] < 1).all()


def test_human_strokes_under_a_paste_do_not_count(pasted: tuple[Recorder, Tensor]) -> None:
    recorder, mask = pasted
    _, on_target = recorder.strokes
    assert (on_target[0][mask] == IGNORE_INDEX).all()
    assert torch.equal(on_target[0][~mask], left_painted()[0][~mask])


def test_target_crops_are_pasted_onto_other_target_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = AdaptSettings(crop=32, labelled_batch=2, unlabelled_batch=0, mix_source=0.0, mix_target=1.0)
    recorder = Recorder(monkeypatch)
    both = views(0.1, torch.cat([halves(0, 1), halves(2, 2)]), "target")
    both.strong[1] = 0.9
    step_of(settings).losses(StepBatch(None, both), fade=1.0)
    (labels, _), *_ = recorder.pseudo
    from_other = recorder.images[0][0, 0] > 0.5
    assert from_other.any()
    assert (labels[0][from_other] == 2).all()
    assert torch.equal(labels[0][~from_other], both.labels[0][~from_other])


def test_a_lone_target_crop_is_not_pasted_onto_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = AdaptSettings(crop=32, labelled_batch=1, unlabelled_batch=0, mix_source=0.0, mix_target=1.0)
    recorder = Recorder(monkeypatch)
    step_of(settings).losses(StepBatch(None, views(0.1, halves(0, 1), "target")), fade=1.0)
    on_target, *_ = recorder.strokes
    assert torch.equal(on_target, halves(0, 1))


def test_nothing_is_pasted_without_pseudo_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    settings = AdaptSettings(
        crop=32, consistency=0.0, mix_source=1.0, unlabelled_batch=0, labelled_batch=1, source_batch=1
    )
    step_of(settings).losses(
        StepBatch(views(0.9, halves(0, 1), "source"), views(0.1, halves(2, 2), "target")), fade=1.0
    )
    _, on_target = recorder.strokes
    assert torch.equal(on_target, halves(2, 2))


@pytest.mark.parametrize("cached", [False, True])
def test_a_step_is_the_same_again_with_the_same_seed(*, cached: bool) -> None:
    changes: dict[str, Any] = {
        "consistency": 1.0,
        "mix_source": 0.5,
        "mix_target": 0.5,
        "negative": 0.1,
        "contrastive": 0.1,
    }
    one, other = losses(cached=cached, **changes), losses(cached=cached, **changes)
    assert torch.equal(one.total, other.total)


def test_crops_without_any_stroke_give_no_nan() -> None:
    settings = AdaptSettings(crop=32, **{**QUIET, "contrastive": 0.1})
    blank = torch.full((2, 32, 32), IGNORE_INDEX, dtype=torch.uint8)
    found = step_of(settings).losses(StepBatch(None, views(0.5, blank, "target")), fade=1.0)
    assert names(found) == set()
    found.total.backward()  # type: ignore[no-untyped-call]


def test_a_single_class_gives_no_nan() -> None:
    settings = AdaptSettings(crop=32)
    step = AdaptationStep(
        student=tiny_segmenter(1, trained=True),
        teacher=tiny_segmenter(1, trained=True).requires_grad_(False),
        guides=Guides(),
        settings=settings,
        cache=None,
        rng=np.random.default_rng(0),
    )
    found = step.losses(StepBatch(None, views(0.5, halves(0, 0, 2), "target")), fade=1.0)
    assert torch.isfinite(found.total)

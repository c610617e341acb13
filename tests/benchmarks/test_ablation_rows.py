from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from ablation_rows import DEFAULT, ROWS, chosen_rows
from substitutes import SUBSTITUTES, JointHardStep, focal_loss, substituted, to_images_only, to_text_only
from torch.nn import functional

from semidavil_core.adaptation import step
from semidavil_core.adaptation.step import Guides
from semidavil_core.adaptation.step_batch import BatchMaker, StepBatch
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.batches import CropGeometry, CropStream
from semidavil_core.losses.contrastive import prototype_info_nce
from semidavil_core.losses.dynamic_cross_entropy import dynamic_cross_entropy
from semidavil_core.settings import AdaptSettings
from tests.core.tiny_tower import source_domain, target_domain, tiny_segmenter


def test_every_row_has_valid_settings_and_a_name_of_its_own() -> None:
    assert len({(row.group, row.name) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.settings(3).seed == 3
        assert row.prepare_settings is not None
        assert row.substitute is None or row.substitute in SUBSTITUTES


def test_a_row_that_is_the_default_is_not_run_twice() -> None:
    rows = chosen_rows([], [], 3)
    assert rows.count(DEFAULT) == 1
    assert not [row for row in rows if row.is_default and row is not DEFAULT]
    assert [row for row in ROWS if row.is_default and row is not DEFAULT], "some variant is the default"


def test_decisive_rows_come_first() -> None:
    priorities = [row.priority for row in chosen_rows([], [], 3)]
    assert priorities == sorted(priorities)
    assert {row.priority for row in chosen_rows([], [], 1)} == {1}


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(SystemExit, match="no group sorcery"):
        chosen_rows(["sorcery"], [], 3)


@pytest.mark.parametrize("name", SUBSTITUTES)
def test_a_substitute_stands_in_only_for_as_long_as_its_row_runs(name: str) -> None:
    place, replacement = SUBSTITUTES[name]
    module, attribute = place.rsplit(".", 1)
    original = getattr(import_module(module), attribute)
    with substituted(name):
        assert getattr(import_module(module), attribute) is replacement
    assert getattr(import_module(module), attribute) is original


def test_focal_loss_is_cross_entropy_without_focus_and_counts_sure_pixels_less_with_it() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    labels[0, 0] = IGNORE_INDEX
    plain = functional.cross_entropy(logits, labels, ignore_index=IGNORE_INDEX)
    assert torch.isclose(focal_loss(logits, labels, gamma=0.0), plain)
    assert focal_loss(logits, labels, gamma=2.0) < plain
    assert focal_loss(logits, torch.full_like(labels, IGNORE_INDEX)) == 0


def test_one_half_of_the_contrast_weighs_as_much_as_both_did() -> None:
    torch.manual_seed(0)
    features = functional.normalize(torch.randn(1, 8, 3, 3), dim=1)
    labels, prototypes = torch.randint(0, 2, (1, 3, 3)), functional.normalize(torch.randn(2, 8), dim=1)
    present = torch.tensor([True, True])
    assert to_text_only(features, labels, prototypes, present=present) == 0
    assert to_images_only(features, labels, prototypes) == 0
    one = prototype_info_nce(features, labels, prototypes)
    assert torch.isclose(to_text_only(features, labels, prototypes), 2 * one)
    assert torch.isclose(to_images_only(features, labels, prototypes, present=present), 2 * one)


def test_the_product_looks_its_losses_up_where_the_substitutes_go() -> None:
    assert step.prototype_info_nce is prototype_info_nce


def test_joint_hard_pixels_are_those_of_both_domains_together() -> None:
    torch.manual_seed(0)
    student = tiny_segmenter(trained=True)
    settings = AdaptSettings(crop=32, consistency=0.0, contrastive=0.0, dyce_hard=0.5, dyce_balance=0.5)
    joint = JointHardStep(
        student=student,
        teacher=student,
        guides=Guides(),
        settings=settings,
        cache=None,
        rng=np.random.default_rng(0),
    )
    geometry = CropGeometry(32, 0.8, 1.2)
    batch = BatchMaker(
        source=CropStream(source_domain(), geometry, num_classes=3, seed=1),
        target=CropStream(target_domain(), geometry, num_classes=3, seed=2),
        settings=settings,
        device=torch.device("cpu"),
    ).draw()
    with torch.no_grad():
        parts = joint.losses(batch, fade=1.0).parts
        assert batch.source is not None
        images = torch.cat([batch.source.strong, batch.target.strong])
        labels = torch.cat([batch.source.labels, batch.target.labels])
        whole = dynamic_cross_entropy(student(images), labels, hard_fraction=0.5, balance=0.5)
    assert parts["source"] == 0
    assert torch.isclose(parts["strokes"], 2 * whole, rtol=1e-4)
    alone = joint.losses(StepBatch(None, batch.target), fade=1.0).parts
    with torch.no_grad():
        on_strokes = dynamic_cross_entropy(
            student(batch.target.strong), batch.target.labels, hard_fraction=0.5, balance=0.5
        )
    assert torch.isclose(alone["strokes"], on_strokes, rtol=1e-4), "without a source there is nothing to join"

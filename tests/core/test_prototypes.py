from __future__ import annotations

import torch
from torch import Tensor

from semidavil_core.adaptation.prototypes import VisualPrototypes

AXES = torch.eye(3)


def located(*classes: int) -> Tensor:
    """Labels (1, 1, N)."""
    return torch.tensor([[classes]])


def features(*rows: Tensor) -> Tensor:
    """(1, D, 1, N)."""
    return torch.stack(rows, 1)[None, :, None]


def test_the_first_mean_is_taken_over_wholly_and_unseen_classes_stay_absent() -> None:
    prototypes = VisualPrototypes(AXES)
    prototypes.update(features(AXES[0], AXES[1], AXES[2]), located(0, 0, 255))
    assert prototypes.present.tolist() == [True, False, False]
    torch.testing.assert_close(prototypes.unit[0], torch.tensor([0.5**0.5, 0.5**0.5, 0.0]))
    assert not prototypes.unit[1:].any()


def test_later_means_move_it_by_the_momentum_and_leave_classes_that_are_missing() -> None:
    prototypes = VisualPrototypes(AXES, momentum=0.75)
    prototypes.update(features(AXES[0], AXES[2]), located(0, 1))
    prototypes.update(features(AXES[1]), located(0))
    torch.testing.assert_close(
        prototypes.unit[0], torch.nn.functional.normalize(torch.tensor([0.75, 0.25, 0.0]), dim=0)
    )
    torch.testing.assert_close(prototypes.unit[1], AXES[2])


def test_without_labels_nothing_changes_and_no_gradient_is_kept() -> None:
    prototypes = VisualPrototypes(AXES)
    prototypes.update(features(AXES[0]).requires_grad_(), located(0))
    before = prototypes.unit
    prototypes.update(features(AXES[1]), located(255))
    assert torch.equal(prototypes.unit, before)
    assert not prototypes.unit.requires_grad

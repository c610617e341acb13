from __future__ import annotations

import pytest
import torch

from semidavil_core.adaptation.ema_teacher import EmaTeacher, decay_for
from semidavil_core.adaptation.optimisation import Optimisation
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import Mode
from tests.core.tiny_tower import tiny_segmenter


def training(mode: Mode = Mode.CACHED) -> Segmenter:
    """A student of which `mode`'s parameters are trained."""
    student = tiny_segmenter().train()
    Optimisation(student, mode=mode, head_rate=1e-3, tower_rate=1e-3, weight_decay=0)
    return student


@torch.no_grad()
def shift(student: Segmenter, by: float) -> None:
    for parameter in student.parameters():
        parameter.add_(by)


def test_a_new_teacher_is_a_frozen_copy_in_evaluation_mode() -> None:
    student = training()
    teacher = EmaTeacher(student)
    assert not teacher.model.training
    assert student.training
    assert not any(p.requires_grad for p in teacher.model.parameters())
    for mine, theirs in zip(teacher.model.parameters(), student.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.data_ptr() != theirs.data_ptr()


def test_the_average_is_the_one_computed_by_hand() -> None:
    student = training()
    teacher = EmaTeacher(student, updates=1000)
    bias = student.decoder.query.bias
    start = bias.detach().clone()
    shift(student, 1.0)
    teacher.update(student, 0.9)
    torch.testing.assert_close(teacher.model.decoder.query.bias, start + 0.1)
    teacher.update(student, 0.9)
    torch.testing.assert_close(teacher.model.decoder.query.bias, start + 0.19)


def test_a_young_teacher_follows_at_the_ramp_until_the_bound() -> None:
    student = training()
    teacher = EmaTeacher(student)
    average = student.decoder.query.bias.detach().clone()
    for decay in (1 / 2, 2 / 3, 0.7, 0.7):  # 1 - 1 / (t + 1) for t = 1, 2, then the bound
        shift(student, 1.0)
        teacher.update(student, 0.7)
        average = decay * average + (1 - decay) * student.decoder.query.bias.detach()
        torch.testing.assert_close(teacher.model.decoder.query.bias, average)
    assert teacher.updates == 4


def test_an_old_teacher_does_not_start_its_ramp_anew() -> None:
    student = training()
    teacher = EmaTeacher(student, updates=10_000)
    start = student.decoder.query.bias.detach().clone()
    shift(student, 1.0)
    teacher.update(student, 0.99)
    torch.testing.assert_close(teacher.model.decoder.query.bias, start + 0.01)


@pytest.mark.parametrize("mode", [Mode.CACHED, Mode.FULL])
def test_only_trained_weights_move(mode: Mode) -> None:
    student = training(mode)
    teacher = EmaTeacher(student)
    before = {name: p.clone() for name, p in teacher.model.named_parameters()}
    shift(student, 1.0)
    teacher.update(student, 0.9)
    moved = {name for name, p in teacher.model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {name for name, p in student.named_parameters() if p.requires_grad}
    assert any(name.startswith("tower.") for name in moved) is (mode is Mode.FULL)


def test_the_student_is_not_touched_by_an_update() -> None:
    student = training()
    teacher = EmaTeacher(student)
    shift(student, 1.0)
    before = [p.detach().clone() for p in student.parameters()]
    teacher.update(student, 0.9)
    for mine, earlier in zip(student.parameters(), before, strict=True):
        assert torch.equal(mine, earlier)


def test_the_decays_memory_spans_a_fifth_of_the_round() -> None:
    assert decay_for(100, 0.999) == pytest.approx(0.95)
    assert decay_for(500, 0.999) == pytest.approx(0.99)


def test_the_decay_stays_between_its_bounds() -> None:
    assert decay_for(1, 0.999) == 0.9
    assert decay_for(0, 0.999) == 0.9
    assert decay_for(10**6, 0.999) == 0.999
    assert decay_for(100, 0.5) == 0.5

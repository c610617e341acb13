from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from semidavil_core.adaptation.optimisation import Optimisation, mixed_precision, resolve_mode
from semidavil_core.errors import AdaptationFailed
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import Mode
from tests.core.tiny_tower import tiny_segmenter

CPU = torch.device("cpu")


def optimised(student: Segmenter, mode: Mode = Mode.FULL, **changes: float) -> Optimisation:
    numbers = {"head_rate": 1e-2, "tower_rate": 1e-3, "weight_decay": 0.1, **changes}
    return Optimisation(student, mode=mode, **numbers)


def loss_of(student: Segmenter) -> torch.Tensor:
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    decay = torch.stack([p.square().sum() for p in student.parameters()]).sum()
    loss: torch.Tensor = student(images).square().mean() + decay
    return loss


def moved_by_a_step(student: Segmenter, optimisation: Optimisation) -> set[str]:
    before = {name: p.detach().clone() for name, p in student.named_parameters()}
    optimisation.apply(loss_of(student), 1.0)
    return {name for name, p in student.named_parameters() if not torch.equal(p, before[name])}


def test_cached_mode_trains_no_weight_of_the_tower() -> None:
    student = tiny_segmenter(trained=True)
    moved = moved_by_a_step(student, optimised(student, Mode.CACHED))
    assert moved
    assert not any(name.startswith("tower.") for name in moved)
    assert not any(p.requires_grad for p in student.tower.parameters())


def test_full_mode_trains_exactly_the_towers_tuned_weights() -> None:
    student = tiny_segmenter(trained=True)
    tuned = set(student.tower.tuned_parameters())
    moved = moved_by_a_step(student, optimised(student, Mode.FULL))
    assert {p for name, p in student.tower.named_parameters(prefix="tower") if name in moved} == tuned
    assert {p for p in student.tower.parameters() if p.requires_grad} == tuned
    assert len(tuned) < len(list(student.tower.parameters()))


@pytest.mark.parametrize("mode", [Mode.CACHED, Mode.FULL])
def test_guidance_and_decoder_are_trained_whole(mode: Mode) -> None:
    student = tiny_segmenter(trained=True)
    moved = moved_by_a_step(student, optimised(student, mode))
    head = {n for n, _ in student.named_parameters() if not n.startswith("tower.")}
    assert {n for n in moved if not n.startswith("tower.")} == {
        n for n in head if dict(student.named_parameters())[n].any()
    }


def test_norms_and_biases_do_not_decay() -> None:
    student = tiny_segmenter()
    optimisation = optimised(student, weight_decay=0.1)
    decays = {
        id(p): group["weight_decay"] for group in optimisation.optimizer.param_groups for p in group["params"]
    }
    norms = [
        p for m in student.modules() if isinstance(m, nn.GroupNorm | nn.LayerNorm) for p in m.parameters()
    ]
    biases = [p for name, p in student.named_parameters() if name.endswith("bias") and p.requires_grad]
    assert norms
    assert {decays[id(p)] for p in (*norms, *biases)} == {0}
    weights = [m.weight for m in student.decoder.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert {decays[id(p)] for p in weights} == {0.1}


def test_head_and_tower_have_rates_of_their_own_that_the_factor_scales() -> None:
    student = tiny_segmenter(trained=True)
    optimisation = optimised(student, head_rate=1e-2, tower_rate=1e-3)
    optimisation.apply(loss_of(student), 0.5)
    optimisation.apply(loss_of(student), 0.5)  # from the rate itself, not from the last step's
    rates = {id(p): group["lr"] for group in optimisation.optimizer.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in student.decoder.parameters()} == {5e-3}
    assert {rates[id(p)] for p in student.tower.tuned_parameters()} == {5e-4}


def test_a_tower_that_bears_little_is_tuned_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    student = tiny_segmenter(trained=True)
    monkeypatch.setattr(type(student.tower), "rate_factor", 0.02)
    optimisation = optimised(student, head_rate=1e-2, tower_rate=1e-3)
    rates = {id(p): group["lr"] for group in optimisation.optimizer.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in student.decoder.parameters()} == {1e-2}
    assert {rates[id(p)] for p in student.tower.tuned_parameters()} == {2e-5}


def test_a_rate_factor_of_zero_moves_nothing() -> None:
    student = tiny_segmenter(trained=True)
    optimisation = optimised(student)
    before = [p.detach().clone() for p in student.parameters()]
    optimisation.apply(loss_of(student), 0.0)
    assert all(torch.equal(a, b) for a, b in zip(student.parameters(), before, strict=True))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_refused_before_the_weights_change(value: float) -> None:
    student = tiny_segmenter(trained=True)
    optimisation = optimised(student)
    before = [p.detach().clone() for p in student.parameters()]
    with pytest.raises(AdaptationFailed, match="infinite or not a number"):
        optimisation.apply(value * loss_of(student), 1.0)
    assert all(torch.equal(a, b) for a, b in zip(student.parameters(), before, strict=True))


def test_a_gradient_that_is_no_number_does_not_reach_the_weights() -> None:
    student = tiny_segmenter(trained=True)
    optimisation = optimised(student)
    bias = student.decoder.query.bias
    before = [p.detach().clone() for p in student.parameters()]
    with pytest.raises(RuntimeError, match="non-finite"):
        optimisation.apply((bias - bias.detach()).abs().sqrt().sum(), 1.0)  # 0, with the slope 0 / 0
    assert all(torch.equal(a, b) for a, b in zip(student.parameters(), before, strict=True))


def test_the_automatic_mode_tunes_small_towers_and_freezes_large_ones_on_a_cpu() -> None:
    student = tiny_segmenter()
    assert resolve_mode("auto", student, CPU) is Mode.FULL
    student.tower.visual["large"] = nn.Linear(6000, 6000, device="meta")
    assert resolve_mode("auto", student, CPU) is Mode.CACHED
    assert resolve_mode("auto", student, torch.device("cuda")) is Mode.FULL


@pytest.mark.parametrize("mode", ["cached", "full"])
def test_a_mode_that_was_asked_for_is_kept(mode: str) -> None:
    assert resolve_mode(mode, tiny_segmenter(), CPU) == mode


def test_a_cpu_computes_in_single_precision() -> None:
    with mixed_precision(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32

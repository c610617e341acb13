from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from semidavil_core.model.language_guidance import DenseLanguageGuidance, unit

DIM, KEY = 6, 4
both_forms = pytest.mark.parametrize("mutual", [True, False])


def guidance(*, trained: bool = True, mutual: bool = True) -> DenseLanguageGuidance:
    torch.manual_seed(0)
    module = DenseLanguageGuidance(embed_dim=DIM, key_dim=KEY, mutual=mutual)
    if trained:
        for layer in (module.visual_out, module.language_out) if mutual else (module.visual_out,):
            nn.init.normal_(layer.weight)
    return module.requires_grad_(True)


def features(*, images: int = 2, locations: int = 5, classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    visual = torch.randn(images, locations, DIM, generator=generator)
    return unit(visual), unit(torch.randn(classes, DIM, generator=generator))


@both_forms
def test_untrained_it_changes_nothing(mutual: bool) -> None:
    visual, language = features()
    guided, words = guidance(trained=False, mutual=mutual)(visual, language)
    torch.testing.assert_close(guided, visual)
    torch.testing.assert_close(words, language.expand(2, -1, -1))


def test_it_follows_the_equations_of_the_paper() -> None:
    module, (visual, language) = guidance(), features(images=1)
    v, t = module.visual_norm(visual[0]), module.language_norm(language)
    affinity = module.visual_key(v) @ module.language_key(t).T / KEY**0.5
    by_words = visual[0] + module.visual_out(affinity.softmax(1) @ module.language_value(t))
    by_image = language + module.language_out(affinity.softmax(0).T @ module.visual_value(v))
    guided, words = module(visual, language)
    torch.testing.assert_close(guided[0], by_words)
    torch.testing.assert_close(words[0], by_image)


def test_language_alone_guides_unless_it_is_mutual() -> None:
    both, (visual, language) = guidance(), features()
    one_way = guidance(mutual=False)
    one_way.load_state_dict({name: both.state_dict()[name] for name in one_way.state_dict()})
    expected, _ = both(visual, language)
    guided, words = one_way(visual, language)
    torch.testing.assert_close(guided, expected)
    torch.testing.assert_close(words, language.expand(2, -1, -1))


@both_forms
def test_another_order_of_classes_only_orders_the_answer(mutual: bool) -> None:
    module, (visual, language) = guidance(mutual=mutual), features(classes=4)
    order = torch.tensor([2, 0, 3, 1])
    guided, words = module(visual, language)
    guided_too, words_too = module(visual, language[order])
    torch.testing.assert_close(guided_too, guided)
    torch.testing.assert_close(words_too, words[:, order])


@both_forms
def test_any_number_of_classes_goes_through_one_module(mutual: bool) -> None:
    module = guidance(mutual=mutual)
    for classes in (1, 2, 30):
        visual, language = features(classes=classes)
        guided, words = module(visual, language)
        assert guided.shape == visual.shape
        assert words.shape == (2, classes, DIM)


def test_masked_locations_have_no_influence_on_the_classes() -> None:
    module, (visual, language) = guidance(), features()
    valid = torch.tensor([[True, True, True, False, False], [True] * 5])
    changed = visual.clone()
    changed[0, 3:] = unit(torch.randn(2, DIM))
    _, before = module(visual, language, valid=valid)
    _, after = module(changed, language, valid=valid)
    torch.testing.assert_close(after, before)
    _, unmasked = module(changed, language)
    assert not torch.allclose(unmasked[0], before[0])


def test_a_mask_for_all_images_equals_leaving_the_locations_out() -> None:
    module, (visual, language) = guidance(), features()
    _, masked = module(visual, language, valid=torch.tensor([[True, True, True, False, False]]))
    _, without = module(visual[:, :3], language)
    torch.testing.assert_close(masked, without)


def test_with_every_location_masked_the_answer_is_finite() -> None:
    visual, language = features()
    _, words = guidance()(visual, language, valid=torch.zeros(2, 5, dtype=torch.bool))
    assert torch.isfinite(words).all()


def test_context_speaks_to_the_image_but_is_no_class() -> None:
    module, (visual, language) = guidance(), features()
    captions = unit(torch.randn(4, DIM))
    plain, plain_words = module(visual, language)
    guided, words = module(visual, language, context=captions)
    assert words.shape == plain_words.shape
    torch.testing.assert_close(words, plain_words)
    assert not torch.allclose(guided, plain)


@both_forms
def test_gradients_reach_every_parameter_after_one_step(mutual: bool) -> None:
    module, (visual, language) = guidance(trained=False, mutual=mutual), features()
    target = unit(torch.randn(2, 3, 5))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for _ in range(2):  # the first step moves the zero-initialised outputs, the second what lies behind them
        optimizer.zero_grad()
        guided, words = module(visual, language)
        functional.mse_loss(unit(words) @ unit(guided).transpose(1, 2), target).backward()
        optimizer.step()
    silent = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []

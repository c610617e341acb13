from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from semidavil_core.errors import InvalidSettings
from semidavil_core.inference.zero_shot import ZeroShotSettings
from semidavil_core.settings import (
    AdaptSettings,
    Budget,
    ConfidenceMode,
    Mode,
    PredictSettings,
    PrepareSettings,
    Settings,
)

KINDS: list[type[Settings]] = [Budget, PrepareSettings, AdaptSettings, PredictSettings, ZeroShotSettings]
NAN = float("nan")

INVALID: list[tuple[type[Settings], str, Any]] = [
    *[(Budget, "seconds", v) for v in (0, -1, NAN, "60", 1e9, None, True)],
    *[(Budget, "steps", v) for v in (0, -5, 2.0, "10", True)],
    *[
        (kind, "crop", v)
        for kind in (PrepareSettings, AdaptSettings)
        for v in (0, 100, 31, 4096, 64.0, "64", True)
    ],
    *[(kind, "scale_low", v) for kind in (PrepareSettings, AdaptSettings) for v in (0, 5, NAN)],
    *[(kind, "scale_high", v) for kind in (PrepareSettings, AdaptSettings) for v in (0.2, 5, "1")],
    *[(kind, "mode", v) for kind in (PrepareSettings, AdaptSettings) for v in ("fast", None, 3)],
    *[(kind, "seed", v) for kind in (PrepareSettings, AdaptSettings) for v in (-1, 0.5, 2**40)],
    *[(PrepareSettings, "batch", v) for v in (0, 65, 1.5)],
    *[(PrepareSettings, n, v) for n in ("head_rate", "tower_rate", "weight_decay") for v in (-1e-3, 2)],
    *[(PrepareSettings, n, v) for n in ("dyce_hard", "dyce_balance", "photometric") for v in (-0.1, 1.1)],
    *[(PrepareSettings, n, -1) for n in ("contrastive", "rare_temperature")],
    *[
        (AdaptSettings, n, v)
        for n in ("source_batch", "labelled_batch", "unlabelled_batch")
        for v in (-1, 65, 1.0)
    ],
    *[
        (AdaptSettings, n, v)
        for n in ("head_rate", "tower_rate", "weight_decay", "decay_max")
        for v in (-1e-3, 1.1, NAN)
    ],
    *[
        (AdaptSettings, n, v)
        for n in ("dyce_hard", "dyce_balance", "threshold", "clip_prior", "style")
        for v in (-0.1, 1.1)
    ],
    *[(AdaptSettings, n, v) for n in ("mix_source", "mix_target") for v in (-0.1, 1.1, None)],
    *[
        (AdaptSettings, n, v)
        for n in (
            "source_weight",
            "labelled_weight",
            "consistency",
            "negative",
            "clip_guidance",
            "contrastive",
            "anchor",
        )
        for v in (-1, 101, float("inf"))
    ],
    *[(AdaptSettings, n, v) for n in ("dyce_normalize", "smoothing") for v in (1, "yes", None)],
    *[(AdaptSettings, "confidence", v) for v in ("sure", None, 0.9)],
    *[(AdaptSettings, "rare_temperature", v) for v in (0, 1e-4, 1000)],
    *[(AdaptSettings, "cached_views", v) for v in (0, 65, 2.5)],
    *[(PredictSettings, "tile", v) for v in (32, 10**5, 512.0)],
    *[(PredictSettings, "overlap", v) for v in (-0.1, 0.9)],
    *[(PredictSettings, "scales", v) for v in ((), (0.0,), (1.0, 9.0), ("a",), None, 1.0, (NAN,))],
    *[(PredictSettings, "flip", v) for v in (1, "no")],
    *[(ZeroShotSettings, "scale", v) for v in (0, 9, NAN)],
    *[(ZeroShotSettings, "flip", v) for v in (1, "no")],
    *[(ZeroShotSettings, "window", v) for v in (32, 10**5, 512.0)],
    *[(ZeroShotSettings, "overlap", v) for v in (-0.1, 0.9)],
]


@pytest.mark.parametrize(("kind", "name", "value"), INVALID)
def test_an_invalid_value_is_refused_with_its_name_and_itself_in_one_sentence(
    kind: type[Settings], name: str, value: Any
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        kind(**{name: value})
    sentence = str(caught.value)
    assert name in sentence
    assert repr(value) in sentence
    assert "allowed" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_no_setting_goes_unchecked(kind: type[Settings]) -> None:
    """`None` or a text is valid for no setting but those that allow it."""
    for setting in fields(kind):  # type: ignore[arg-type]
        if (kind, setting.name) in ((Budget, "steps"), (PredictSettings, "image_prior")):
            continue
        with pytest.raises(InvalidSettings, match=setting.name):
            kind(**{setting.name: None})


@pytest.mark.parametrize("kind", KINDS)
def test_settings_go_through_json(kind: type[Settings]) -> None:
    assert kind.from_json(json.loads(json.dumps(kind().to_json()))) == kind()
    assert kind.from_json({}) == kind()


def test_changed_settings_go_through_json() -> None:
    changed = AdaptSettings(mode="cached", confidence="hard", crop=64, smoothing=False)
    content = json.loads(json.dumps(changed.to_json()))
    assert (content["mode"], content["confidence"]) == ("cached", "hard")
    assert AdaptSettings.from_json(content) == changed
    zooms = PredictSettings(scales=(0.5, 1.0))
    assert PredictSettings.from_json(json.loads(json.dumps(zooms.to_json()))) == zooms


def test_names_of_modes_become_modes() -> None:
    chosen = AdaptSettings(mode="full", confidence="soft")
    assert chosen.mode is Mode.FULL
    assert chosen.confidence is ConfidenceMode.SOFT


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_is_refused_with_the_known_ones(kind: type[Settings]) -> None:
    known = fields(kind)[0].name  # type: ignore[arg-type]
    with pytest.raises(InvalidSettings, match=f"learning_rate.*{known}"):
        kind.from_json({"learning_rate": 1})


@pytest.mark.parametrize("batches", [{"unlabelled_batch": 0}, {"consistency": 0}])
def test_settings_that_would_draw_no_target_crop_are_refused(batches: dict[str, int]) -> None:
    with pytest.raises(InvalidSettings, match=r"labelled_batch.*unlabelled_batch.*consistency"):
        AdaptSettings(labelled_batch=0, **batches)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(FrozenInstanceError):
        AdaptSettings().crop = 64  # type: ignore[misc]


def test_the_ends_of_the_ranges_are_allowed() -> None:
    AdaptSettings(
        crop=32,
        source_batch=0,
        labelled_batch=64,
        dyce_balance=0,
        threshold=1,
        consistency=0,
        cached_views=64,
    )
    AdaptSettings(crop=2048, scale_low=4, scale_high=4, seed=2**31)
    PrepareSettings(batch=1, head_rate=0, rare_temperature=1e-3)
    PredictSettings(tile=64, overlap=0.75, scales=(0.1, 4))
    Budget(seconds=0.1, steps=1)

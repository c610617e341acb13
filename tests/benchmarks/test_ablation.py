from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ablation import Ablation
from ablation_rows import DEFAULT, ROWS
from bench_options import BenchBudget, apply, parser_of, round_budget
from bench_setup import BenchSetup
from data_sets import DataSet, look_alike_iou, look_alikes, open_data_set
from networks import KWayDecoder, Network, build_network
from result_rows import ResultFile
from start_models import Start, StartModels

from semidavil_core.settings import Budget
from semidavil_core.vlm.loading import Vlm, load_vlm


@pytest.fixture(scope="module")
def vlm() -> Vlm:
    return load_vlm("mini", allow_download=False)


@pytest.fixture(scope="module")
def data(tiny_sample: Path) -> DataSet:
    return open_data_set(tiny_sample, name="tiny")


def options(*more: str) -> list[str]:
    return ["--steps", "1", "--prepare-steps", "1", *more]


def test_rows_are_appended_once_and_hold_what_the_report_needs(data: DataSet, tmp_path: Path) -> None:
    parser = parser_of("", seconds=1, prepare_seconds=1)
    chosen = parser.parse_args(options("--results", str(tmp_path / "r.jsonl"), "--work", str(tmp_path)))
    ablation = Ablation(BenchSetup.of(chosen))
    joint = next(row for row in ROWS if row.substitute == "joint H")
    words = next(row for row in ROWS if row.words)
    for row in (DEFAULT, DEFAULT, joint, words):
        ablation.run(row, data, 0)
    rows = ResultFile(tmp_path / "r.jsonl").rows(kind="ablation")
    assert [(row["group"], row["name"]) for row in rows] == [
        (DEFAULT.group, DEFAULT.name),
        (joint.group, joint.name),
    ]
    first, second = rows  # nothing is known to say of these images
    assert first["steps"] == second["steps"] == 1
    assert 0 <= first["miou"] <= 1
    assert 0 <= first["pseudo_accuracy"] <= 1
    assert second["substitute"] == "joint H"
    assert second["changes"] == {"dyce_hard": 0.2}
    assert len(list(tmp_path.glob("*.safetensors"))) == 1, "both rows start from one model"


def test_words_about_the_images_join_the_round(data: DataSet, tmp_path: Path) -> None:
    parser = parser_of("", seconds=1, prepare_seconds=1)
    setup = BenchSetup.of(parser.parse_args(options("--work", str(tmp_path))))
    words = next(row for row in ROWS if row.words)
    named = replace(data, name="streets")
    bundle = setup.starts.bundle(named, Start(0))
    model, steps = Ablation(setup)._adapted(bundle, words, named, words.settings(0))
    assert steps == 1
    assert len(model.context) == len(named.words) > 0
    assert not len(bundle.segmenter.context)


def test_a_start_model_is_trained_once_and_read_afterwards(vlm: Vlm, data: DataSet, tmp_path: Path) -> None:
    starts = StartModels(vlm, BenchBudget(Budget(steps=1)), tmp_path)
    first = starts.bundle(data, Start(0)).segmenter.state_dict()
    again = starts.bundle(data, Start(0)).segmenter.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    starts.bundle(data, Start(1))
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


@pytest.mark.parametrize("network", Network)
def test_every_network_segments_and_is_the_same_for_the_same_seed(
    network: Network, vlm: Vlm, data: DataSet
) -> None:
    model = build_network(network, vlm, data, 0).eval()
    again = build_network(network, vlm, data, 0).eval()
    with torch.no_grad():
        images = torch.rand(1, 3, 64, 72)
        logits = model(images)
        assert logits.shape == (1, len(data.classes), 64, 72)
        assert torch.equal(logits, again(images))


def test_the_networks_lack_what_their_names_say(vlm: Vlm, data: DataSet) -> None:
    full = build_network(Network.FULL, vlm, data, 0)
    assert not list(build_network(Network.NO_GUIDANCE, vlm, data, 0).guidance.parameters())
    assert build_network(Network.MUTUAL, vlm, data, 0).settings.mutual
    assert not full.settings.mutual
    decoder = build_network(Network.K_WAY, vlm, data, 0).decoder
    assert isinstance(decoder, KWayDecoder)
    assert decoder.head.out_channels == len(data.classes)
    trunk = "tower.visual.trunk.conv_stem.weight"
    pretrained = full.state_dict()[trunk]
    assert torch.equal(build_network(Network.IMAGENET_TRUNK, vlm, data, 0).state_dict()[trunk], pretrained)
    assert not torch.equal(build_network(Network.RANDOM_TRUNK, vlm, data, 0).state_dict()[trunk], pretrained)
    assert not torch.allclose(build_network(Network.RANDOM_WORDS, vlm, data, 0).text, full.text)


def test_look_alikes_are_the_groups_that_a_data_set_has_whole() -> None:
    assert look_alikes(("road", "sidewalk", "fence", "sky")) == ("road", "sidewalk")
    assert look_alike_iou({"road": 0.8, "sidewalk": 0.4, "fence": 0.1}) == pytest.approx(0.6)
    assert look_alike_iou({"pole": 0.5}) is None


def test_seconds_of_the_processor_need_a_single_thread() -> None:
    chosen = parser_of("", seconds=30, prepare_seconds=60).parse_args(["--threads", "2"])
    with pytest.raises(SystemExit, match="--threads 1"):
        apply(chosen)
    assert str(round_budget(chosen)) == "30 cpu s"

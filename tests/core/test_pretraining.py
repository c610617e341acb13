from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.data.image_files import write_image
from semidavil_core.errors import AdaptationFailed, InvalidDataset, InvalidSettings, OutputNotWritable
from semidavil_core.events import Event, RoundFinished, StageStarted, StepFinished
from semidavil_core.settings import Budget
from semidavil_core.vlm.captioned_images import CaptionedImages, read_pairs
from semidavil_core.vlm.contrastive_terms import class_shares, pair_loss, pixel_loss, region_loss
from semidavil_core.vlm.loading import load_vlm
from semidavil_core.vlm.pretraining import PretrainSettings, PretrainTask, iter_pretraining
from semidavil_core.vlm.tuned_stages import last_stages
from tests.core.tiny_vlm import CONV, VIT, model_config, write_folder

COLORS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 40, 230)}
CLASSES = ClassSet.from_names(COLORS)
FAST = PretrainSettings(batch=6, learning_rate=3e-3, warm_up=2)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("vlm") / "start", model_config(VIT))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name, color in COLORS.items():
        for number in range(2):
            noisy = np.clip(np.array(color) + rng.normal(0, 15, (40, 48, 3)), 0, 255).astype(np.uint8)
            write_image(folder / f"{name}{number}.png", noisy)
    return folder


@pytest.fixture
def pairs(images: Path, tmp_path: Path) -> CaptionedImages:
    rows = [f"{p.name},a {p.stem[:-1]} wall" for p in sorted(images.iterdir())]
    (tmp_path / "captions.csv").write_text("file,caption\n" + "\n".join(rows))
    return read_pairs(images, tmp_path / "captions.csv")


def _source() -> MemoryDomain:
    samples, rng = [], np.random.default_rng(1)
    for index in range(4):
        labels = np.repeat(np.repeat(rng.integers(0, 3, (3, 3)), 16, 0), 16, 1).astype(np.uint8)
        image = np.array(list(COLORS.values()), np.uint8)[labels]
        labels[:4] = 255
        samples.append(Sample(f"s{index}", image, labels))
    return MemoryDomain(samples)


def _run(task: PretrainTask, control: RunControl | None = None) -> list[Event]:
    return list(iter_pretraining(task, control or RunControl()))


def _loss(events: list[Event], name: str, part: slice) -> float:
    return float(np.mean([e.losses[name] for e in events if isinstance(e, StepFinished)][part]))


def test_captioned_images_are_learnt_and_the_new_model_loads(
    start: Path, pairs: CaptionedImages, tmp_path: Path
) -> None:
    vlm = load_vlm(str(start))
    task = PretrainTask(vlm, tmp_path / "new", pairs=pairs, settings=FAST, budget=Budget(steps=30))
    events = _run(task)
    assert isinstance(events[0], StageStarted)
    assert isinstance(events[-1], RoundFinished)
    assert (events[-1].steps, events[-1].reason) == (30, "budget")
    assert _loss(events, "pairs", slice(-5, None)) < 0.8 * _loss(events, "pairs", slice(0, 3))
    new = load_vlm(f"local-dir:{tmp_path / 'new'}")
    torch.testing.assert_close(new.model.visual.proj, vlm.model.visual.proj)
    assert new.reference.fingerprint != vlm.reference.fingerprint
    assert new.logit_scale == pytest.approx(vlm.logit_scale)
    assert new.tower.mean.flatten().tolist() == vlm.tower.mean.flatten().tolist()


@pytest.mark.parametrize("vision", [VIT, CONV], ids=["vit", "convnext"])
def test_labelled_images_are_learnt_by_pixels_and_regions(vision: dict[str, Any], tmp_path: Path) -> None:
    vlm = load_vlm(str(write_folder(tmp_path / "start", model_config(vision))))
    task = PretrainTask(
        vlm, tmp_path / "new", source=_source(), classes=CLASSES, settings=FAST, budget=Budget(steps=20)
    )
    events = _run(task)
    for name in ("pixels", "regions"):
        assert _loss(events, name, slice(-4, None)) < 0.9 * _loss(events, name, slice(0, 3))


def test_captions_and_labels_can_be_learnt_together(
    start: Path, pairs: CaptionedImages, tmp_path: Path
) -> None:
    task = PretrainTask(
        load_vlm(str(start)), tmp_path / "new", pairs, _source(), CLASSES, FAST, Budget(steps=2)
    )
    step = _run(task)[1]
    assert isinstance(step, StepFinished)
    assert set(step.losses) == {"pairs", "pixels", "regions"}
    assert step.loss == pytest.approx(sum(step.losses.values()))


def test_one_seed_gives_one_model_and_another_seed_another(
    start: Path, pairs: CaptionedImages, tmp_path: Path
) -> None:
    def trained(name: str, seed: int) -> str:
        settings = PretrainSettings(batch=4, seed=seed)
        _run(
            PretrainTask(
                load_vlm(str(start)), tmp_path / name, pairs, settings=settings, budget=Budget(steps=3)
            )
        )
        return load_vlm(str(tmp_path / name)).reference.fingerprint

    assert trained("a", 1) == trained("b", 1) != trained("c", 2)


def test_the_text_side_and_the_early_stages_stay_as_they_were(
    start: Path, pairs: CaptionedImages, tmp_path: Path
) -> None:
    vlm = load_vlm(str(start))
    before = {k: v.clone() for k, v in vlm.model.state_dict().items()}
    _run(PretrainTask(vlm, tmp_path / "new", pairs, settings=FAST, budget=Budget(steps=2)))
    changed = {k for k, v in vlm.model.state_dict().items() if not torch.equal(v, before[k])}
    assert "visual.proj" in changed
    assert all(
        k == "visual.proj" or k.startswith(("visual.transformer.resblocks.2.", "visual.ln_post"))
        for k in changed
    )


def test_the_last_stages_of_mini_are_its_projection_and_deepest_blocks() -> None:
    visual: Any = load_vlm("mini", allow_download=False).tower.visual
    names = {id(p): n for n, p in visual.named_parameters()}
    chosen = [names[id(p)] for p in last_stages(visual)]
    assert any(n.startswith("head.") for n in chosen)
    assert "trunk.conv_head.weight" in chosen
    assert not any(n.startswith(("trunk.conv_stem", "trunk.blocks.0", "trunk.blocks.3")) for n in chosen)


def test_a_stop_keeps_what_was_learnt_and_says_so(
    start: Path, pairs: CaptionedImages, tmp_path: Path
) -> None:
    control = RunControl()
    task = PretrainTask(
        load_vlm(str(start)), tmp_path / "new", pairs, settings=FAST, budget=Budget(steps=1000)
    )
    events = []
    for event in iter_pretraining(task, control):
        events.append(event)
        if isinstance(event, StepFinished) and event.step == 3:
            control.stop()
    assert isinstance(events[-1], RoundFinished)
    assert (events[-1].steps, events[-1].reason) == (3, "stopped")
    load_vlm(str(tmp_path / "new"))


def test_a_folder_with_other_files_is_refused_before_any_training(
    start: Path, pairs: CaptionedImages, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputNotWritable, match="other files"):
        next(iter_pretraining(PretrainTask(load_vlm(str(start)), tmp_path / "new", pairs), RunControl()))
    assert (tmp_path / "new" / "thesis.txt").read_text() == "mine"


def test_an_earlier_model_is_replaced(start: Path, pairs: CaptionedImages, tmp_path: Path) -> None:
    for seed in (1, 2):
        settings = PretrainSettings(batch=4, seed=seed)
        _run(
            PretrainTask(
                load_vlm(str(start)), tmp_path / "new", pairs, settings=settings, budget=Budget(steps=2)
            )
        )
    assert sorted(p.name for p in tmp_path.iterdir() if "new" in p.name) == ["new"]


def test_a_task_without_anything_to_learn_from_is_refused(start: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="nothing to learn from"):
        PretrainTask(load_vlm(str(start)), tmp_path / "new", source=_source())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", 'file,caption\nred0.png,one\nblue1.png,"two, and more"\n'),
        ("c.tsv", "filepath\ttitle\nred0.png\tone\nblue1.png\ttwo, and more\n"),
        (
            "c.jsonl",
            '{"file": "red0.png", "caption": "one"}\n{"file": "blue1.png", "caption": "two, and more"}\n',
        ),
        ("c.json", '[{"image": "red0.png", "text": "one"}, {"image": "blue1", "text": "two, and more"}]'),
        ("c2.json", '{"red0.png": "one", "blue1.png": "two,\\n and more"}'),
    ],
)
def test_captions_are_read_from_every_kind_of_table(
    images: Path, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    found = read_pairs(images, tmp_path / name).pairs
    assert [(p.name, c) for p, c in found] == [("red0.png", "one"), ("blue1.png", "two, and more")]


def test_captions_are_read_from_text_files_beside_the_images(images: Path, tmp_path: Path) -> None:
    for stem in ("red0", "green1"):
        (tmp_path / f"{stem}.txt").write_text(f"a {stem} thing\n")
    assert [c for _, c in read_pairs(images, tmp_path).pairs] == ["a green1 thing", "a red0 thing"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.csv", "file,caption\nnowhere.png,one\nred0.png,two", "1 images.*nowhere.png"),
        ("c.csv", "file,caption\nred0.png,one", "at least 2"),
        ("c.csv", "a,b\nred0.png,one", "Row 1.*name the columns"),
        ("c.json", "{nonsense", "cannot be read"),
        ("c.json", "[1, 2]", "Row 1"),
        ("c.csv", "", "at least 2"),
    ],
)
def test_unusable_captions_are_refused(
    images: Path, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidDataset, match=message):
        read_pairs(images, tmp_path / name)


def test_missing_captions_are_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="cannot be read"):
        read_pairs(images, tmp_path / "none.csv")


def test_the_pair_loss_is_clips_and_symmetric() -> None:
    images, texts = torch.nn.functional.normalize(
        torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    logits, own = 10 * images @ texts.T, torch.arange(5)
    expected = (
        torch.nn.functional.cross_entropy(logits, own) + torch.nn.functional.cross_entropy(logits.T, own)
    ) / 2
    loss = pair_loss(images, texts, 10, list("abcde"))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(loss, pair_loss(texts, images, 10, list("abcde")))


def test_equal_captions_are_no_negatives_of_each_other() -> None:
    units = torch.eye(3)[[0, 0, 1]]
    torch.testing.assert_close(
        pair_loss(units, units, 100, ["a", "a", "b"]), torch.tensor(2 * 0.6931472 / 3), rtol=1e-4, atol=1e-5
    )
    assert (
        pair_loss(units, units, 100, ["a", "c", "b"]) >= pair_loss(units, units, 100, ["a", "a", "b"]) - 1e-6
    )


def test_class_shares_count_labelled_pixels_and_leave_ignored_ones_out() -> None:
    labels = torch.tensor([[[0, 0, 255, 255], [1, 0, 255, 255]]], dtype=torch.uint8)
    shares = class_shares(labels, 2, (1, 2))
    torch.testing.assert_close(shares[0, :, 0, 0], torch.tensor([0.75, 0.25]))
    assert not shares[0, :, 0, 1].any()


def test_dense_losses_are_small_where_features_are_their_classes_and_zero_without_labels() -> None:
    text = torch.eye(3)
    labels = torch.randint(0, 3, (2, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    right = text[labels.long()].permute(0, 3, 1, 2)
    shares = class_shares(labels, 3, (4, 4))
    for loss in (pixel_loss, region_loss):
        assert loss(right, shares, text, 40.0) < 1e-6
        assert loss(right.roll(1, dims=1), shares, text, 40.0) > 10
        assert loss(right, torch.zeros_like(shares), text, 40.0) == 0


def test_a_loss_that_is_no_number_ends_the_training_and_leaves_no_folder(
    start: Path, pairs: CaptionedImages, tmp_path: Path
) -> None:
    vlm = load_vlm(str(start))
    with torch.no_grad():
        vlm.model.visual.proj[:] = float("nan")
    with pytest.raises(AdaptationFailed, match="lower learning_rate"):
        _run(PretrainTask(vlm, tmp_path / "new", pairs, settings=FAST, budget=Budget(steps=2)))
    assert not (tmp_path / "new").exists()


def test_too_little_memory_is_told_with_what_to_lower(
    start: Path, pairs: CaptionedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(images: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    vlm = load_vlm(str(start))
    monkeypatch.setattr(vlm.model, "encode_image", full)
    with pytest.raises(AdaptationFailed, match=r"out of memory\); lower batch"):
        _run(PretrainTask(vlm, tmp_path / "new", pairs, settings=FAST, budget=Budget(steps=2)))


def test_a_pause_holds_until_it_is_resumed(start: Path, pairs: CaptionedImages, tmp_path: Path) -> None:
    control = RunControl()
    task = PretrainTask(load_vlm(str(start)), tmp_path / "new", pairs, settings=FAST, budget=Budget(steps=2))
    kinds = []
    for event in iter_pretraining(task, control):
        kinds.append(event.kind)
        if event.kind == "StageStarted":
            control.pause()
        if event.kind == "Paused":
            control.resume()
    assert kinds == ["StageStarted", "Paused", "Resumed", "StepFinished", "StepFinished", "RoundFinished"]

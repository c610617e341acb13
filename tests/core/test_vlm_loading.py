from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import huggingface_hub
import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from semidavil_core.errors import InvalidBundle, UnknownModel, WeightsUnavailable
from semidavil_core.vlm.library_errors import short, unavailable
from semidavil_core.vlm.loading import load_vlm
from semidavil_core.vlm.model_config import usual_preprocessing
from semidavil_core.vlm.model_spec import parse_spec
from semidavil_core.vlm.offline import downloads_allowed
from semidavil_core.vlm.reference import VlmReference
from semidavil_core.vlm.text_encoder import check_tokenizer
from tests.core.tiny_vlm import CONV, PREPROCESS, TEXT, VIT, model_config, random_clip, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("vlm") / "tiny")


@pytest.fixture
def architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tiny architecture that open_clip knows by name for the length of a test."""
    config = tmp_path / "tiny-vit.json"
    config.write_text(json.dumps(model_config()))
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", [*open_clip.factory._MODEL_CONFIG_PATHS])
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
    open_clip.add_model_config(config)
    return "tiny-vit"


def _publish(monkeypatch: pytest.MonkeyPatch, model: str, tag: str, file: Path, **more: Any) -> None:
    pretrained = open_clip.pretrained._PRETRAINED
    monkeypatch.setitem(pretrained, model, {**pretrained.get(model, {}), tag: {"file": str(file), **more}})


def _weights(seed: int = 0) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in random_clip(model_config(), seed).state_dict().items()}


class _Trap:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def test_mini_loads_without_a_network_and_sees_and_reads() -> None:
    vlm = load_vlm("mini", allow_download=False)
    with torch.no_grad():
        features = vlm.tower(torch.rand(1, 3, 50, 70))
    assert features.aligned.shape[1] == vlm.embed_dim == vlm.text(["a road"]).shape[1]
    assert vlm.reference.model == "mini"  # no path of this machine


def test_a_folder_brings_its_weights_preprocessing_and_tokenizer(folder: Path) -> None:
    vlm = load_vlm(str(folder))
    assert vlm.tower.mean.flatten().tolist() == pytest.approx(PREPROCESS["mean"])
    assert vlm.tower.std.flatten().tolist() == pytest.approx(PREPROCESS["std"])
    assert torch.equal(vlm.model.text_projection, _weights()["text_projection"])
    assert vlm.text.tokenizer(["x"]).shape == (1, TEXT["context_length"])  # type: ignore[operator]


def test_all_forms_of_a_local_folder_are_one_model(folder: Path) -> None:
    prints = {
        load_vlm(s).reference.fingerprint
        for s in (str(folder), f"local-dir:{folder}", str(folder / "open_clip_model.safetensors"))
    }
    assert len(prints) == 1


def test_the_device_and_the_dense_mode_are_respected(folder: Path) -> None:
    vlm = load_vlm(str(folder), dense_mode="maskclip", device="cpu")
    assert vlm.reference.dense_mode == "maskclip"
    assert load_vlm(str(folder)).reference.dense_mode == "naclip"


@pytest.mark.parametrize("wrap", ["plain", "state_dict", "ddp"])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".safetensors"])
def test_weights_files_of_every_kind_load(architecture: str, tmp_path: Path, suffix: str, wrap: str) -> None:
    weights, file = _weights(3), tmp_path / f"weights{suffix}"
    if wrap == "ddp":
        weights = {f"module.{k}": v for k, v in weights.items()}
    if suffix == ".safetensors":
        save_file(weights, file)
    else:
        torch.save(weights if wrap == "plain" else {"state_dict": weights, "epoch": 3}, file)
    vlm = load_vlm(f"{architecture}:{file}")
    assert torch.equal(vlm.model.text_projection, _weights(3)["text_projection"])


def test_a_pickle_with_code_is_refused_and_its_code_never_runs(architecture: str, tmp_path: Path) -> None:
    file, trace = tmp_path / "weights.pt", tmp_path / "trace"
    torch.save({"state_dict": _Trap(trace)}, file)
    with pytest.raises(WeightsUnavailable, match=r"could run code.*convert them to \.safetensors"):
        load_vlm(f"{architecture}:{file}")
    assert not trace.exists()


def test_a_pickle_with_code_in_a_folder_is_refused_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text((folder / "open_clip_config.json").read_text())
    torch.save(_Trap(tmp_path / "trace"), tmp_path / "open_clip_pytorch_model.bin")
    with pytest.raises(WeightsUnavailable, match="could run code"):
        load_vlm(str(tmp_path))
    assert not (tmp_path / "trace").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_a_torchscript_archive_is_refused(architecture: str, tmp_path: Path) -> None:
    file = tmp_path / "ViT.pt"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(file))
    with pytest.raises(WeightsUnavailable, match="could run code"):
        load_vlm(f"{architecture}:{file}")


def test_a_missing_weight_is_named_instead_of_left_random(architecture: str, tmp_path: Path) -> None:
    weights = _weights()
    del weights["visual.proj"]
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(WeightsUnavailable, match=r"do not fit its architecture.*visual\.proj"):
        load_vlm(f"{architecture}:{tmp_path / 'w.safetensors'}")


def test_a_damaged_weights_file_is_refused(architecture: str, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"not a tensor in sight")
    with pytest.raises(WeightsUnavailable, match="cannot be read"):
        load_vlm(f"{architecture}:{tmp_path / 'w.safetensors'}")


def test_a_folder_without_weights_is_refused_instead_of_made_random(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text((folder / "open_clip_config.json").read_text())
    with pytest.raises(WeightsUnavailable, match="cannot be read"):
        load_vlm(f"local-dir:{tmp_path}")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"model_cfg": {}}', '{"model_cfg": {"embed_dim": 3}}', '{"preprocess_cfg": {}}']
)
def test_a_malformed_configuration_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "open_clip_config.json").write_text(content)
    with pytest.raises(UnknownModel, match="no open_clip configuration"):
        load_vlm(str(tmp_path))


def test_a_weights_file_gets_the_preprocessing_of_the_published_weights_not_openais() -> None:
    assert usual_preprocessing("MobileCLIP2-S0")["std"] == (1.0, 1.0, 1.0)
    assert usual_preprocessing("ViT-B-16-SigLIP2")["mean"] == (0.5, 0.5, 0.5)
    assert usual_preprocessing("no such model") == {}


def test_the_published_preprocessing_reaches_the_tower_of_a_weights_file(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(_weights(), tmp_path / "w.safetensors")
    _publish(
        monkeypatch,
        architecture,
        "known",
        tmp_path / "w.safetensors",
        mean=(0.1, 0.1, 0.1),
        std=(0.9, 0.9, 0.9),
    )
    vlm = load_vlm(f"{architecture}:{tmp_path / 'w.safetensors'}")
    assert vlm.tower.std.flatten().tolist() == pytest.approx([0.9, 0.9, 0.9])
    assert vlm.reference.config["preprocess_cfg"]["mean"] == [0.1, 0.1, 0.1]


def test_a_tag_trained_with_quickgelu_gets_quickgelu(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(_weights(), tmp_path / "w.safetensors")
    _publish(monkeypatch, architecture, "quick", tmp_path / "w.safetensors", quick_gelu=True)
    _publish(monkeypatch, architecture, "slow", tmp_path / "w.safetensors")
    quick, slow = load_vlm(f"{architecture}:quick"), load_vlm(f"{architecture}:slow")
    kinds = [type(v.model.visual.transformer.resblocks[0].mlp.gelu).__name__ for v in (quick, slow)]
    assert kinds == ["QuickGELU", "GELU"]
    assert quick.reference.config["model_cfg"]["quick_gelu"] is True


def test_quickgelu_where_the_weights_have_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _publish(monkeypatch, "ViT-B-16-quickgelu", "laion2b", tmp_path / "w.safetensors")
    with pytest.raises(UnknownModel, match="write ViT-B-16:laion2b"):
        load_vlm("ViT-B-16-quickgelu:laion2b")


def test_a_file_whose_name_hints_at_quickgelu_brings_a_notice(architecture: str, tmp_path: Path) -> None:
    for name in ("openai.safetensors", "laion.safetensors"):
        save_file(_weights(), tmp_path / name)
    assert "QuickGELU" in load_vlm(f"{architecture}:{tmp_path / 'openai.safetensors'}").notices[0]
    assert not load_vlm(f"{architecture}:{tmp_path / 'laion.safetensors'}").notices


def test_a_tokenizer_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "odd", model_config(text={**TEXT, "vocab_size": 32000}))
    with pytest.raises(WeightsUnavailable, match="knows 49408 tokens but the model expects 32000"):
        load_vlm(str(folder))


def test_a_larger_vocabulary_than_open_clips_own_tokenizer_is_refused_too() -> None:
    model = random_clip(model_config(text={**TEXT, "vocab_size": 50000}))
    with pytest.raises(WeightsUnavailable, match="50000"):
        check_tokenizer(open_clip.SimpleTokenizer(), model, "x")


def test_a_model_that_needs_transformers_says_so_when_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "tiny")
    content = json.loads((folder / "open_clip_config.json").read_text())
    content["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "bert-base-uncased"
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsUnavailable, match="pip install transformers"):
        load_vlm(str(folder))


def test_a_folder_with_a_text_tower_of_transformers_needs_no_hub(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    bert = transformers.BertConfig(
        vocab_size=8,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    bert.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cell", "a", "of"])
    )
    transformers.BertTokenizerFast.from_pretrained(tmp_path).save_pretrained(tmp_path)
    text = {"hf_model_name": str(tmp_path), "hf_tokenizer_name": "org/bert", "hf_proj_type": "mlp",
            "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": 12, "hf_model_pretrained": False}  # fmt: skip
    write_folder(tmp_path, model_config(text=text))
    content = json.loads((tmp_path / "open_clip_config.json").read_text())
    content["model_cfg"]["text_cfg"]["hf_model_name"] = "org/bert-that-is-not-here"
    (tmp_path / "open_clip_config.json").write_text(json.dumps(content))
    vlm = load_vlm(f"local-dir:{tmp_path}", allow_download=False)
    one, two = vlm.text(["a cell", "of"])
    assert one.norm().item() == pytest.approx(1, abs=1e-5)
    assert not torch.allclose(one, two)


@pytest.mark.parametrize(
    "spec",
    [
        "natural",
        "natural-gpu",
        "biomedical",
        "pathology",
        "remote-sensing",
        "hf-hub:org/name",
        "ViT-B-32:openai",
        "RN50:yfcc15m",
    ],
)
def test_without_downloads_one_sentence_tells_the_remedy(spec: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        load_vlm(spec, allow_download=False, cache_dir=tmp_path)
    message = str(caught.value)
    assert f"The weights of {spec} are not on this machine and downloads are off" in message
    assert "local-dir:/path/to/folder" in message
    assert len(message) < 300


def test_downloads_are_off_only_inside_and_the_environment_is_never_touched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    before = dict(os.environ)
    inside: list[bool] = []

    def fail() -> None:
        with downloads_allowed(False):
            inside.append(huggingface_hub.constants.is_offline_mode())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside == [True]
    assert not huggingface_hub.constants.is_offline_mode()
    assert dict(os.environ) == before


def test_a_failed_download_names_a_reason_and_a_way_round() -> None:
    error = unavailable(parse_spec("natural"), ConnectionError("no route\nto host " + "x" * 5000), True)
    assert "could not be downloaded (no route to host" in str(error)
    assert "MobileCLIP2-S0:/path/to/weights" in str(error)
    assert len(str(error)) < 450


def test_long_library_messages_are_cut() -> None:
    assert short("a\n  b") == "a b"
    assert len(short("x" * 10_000)) == 160


def test_loading_leaves_the_root_logger_alone(folder: Path) -> None:
    before = list(logging.getLogger().handlers)
    load_vlm(str(folder))
    assert logging.getLogger().handlers == before


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("minni", "did you mean mini"),
        ("ViT-B16:openai", "did you mean ViT-B-16"),
        ("mobileclip2-s0", "did you mean MobileCLIP2-S0"),
        ("no such thing at all", "known presets are mini"),
        ("", "known presets are mini"),
        ("ViT-B-16", "architecture without weights"),
        ("ViT-B-16:laion", "has no weights 'laion'; did you mean"),
        ("ViT-B-16:/nowhere/w.pt", "does not exist"),
        ("ViT-B-16:/nowhere/w.npz", "read safely"),
        ("hf-hub:", "write hf-hub:organisation/name"),
        ("hf-hub:name", "write hf-hub:organisation/name"),
        ("local-dir:/nowhere", "does not exist"),
    ],
)
def test_an_unknown_model_is_answered_with_what_was_probably_meant(spec: str, message: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        parse_spec(spec)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_folder_without_configuration_and_a_lone_weights_file_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match=r"no open_clip_config\.json"):
        parse_spec(str(tmp_path))
    (tmp_path / "w.pt").touch()
    with pytest.raises(UnknownModel, match="ViT-B-16:"):
        parse_spec(str(tmp_path / "w.pt"))


def test_a_reference_survives_json(folder: Path) -> None:
    reference = load_vlm(str(folder)).reference
    assert VlmReference.from_json(json.loads(json.dumps(reference.to_json()))) == reference
    hash(reference)


@pytest.mark.parametrize("content", [{}, [], {"spec": "mini"}, None])
def test_a_damaged_reference_is_refused(content: Any) -> None:
    with pytest.raises(InvalidBundle, match="reference"):
        VlmReference.from_json(content)


def test_other_weights_have_another_fingerprint_and_are_refused(folder: Path, tmp_path: Path) -> None:
    one, same = load_vlm(str(folder)).reference, load_vlm(f"local-dir:{folder}").reference
    other = load_vlm(str(write_folder(tmp_path / "other", seed=1))).reference
    one.check_same_weights(same)
    with pytest.raises(InvalidBundle, match="other weights"):
        one.check_same_weights(other)


def test_one_changed_weight_changes_the_fingerprint(folder: Path) -> None:
    from semidavil_core.vlm.fingerprint import weights_fingerprint

    model = load_vlm(str(folder)).model
    before = weights_fingerprint(model)
    with torch.no_grad():
        model.visual.proj[0, 0] += 1e-3
    assert weights_fingerprint(model) != before


def test_the_dense_temperature_is_softened_for_transformers_and_kept_for_convolutions(tmp_path: Path) -> None:
    def scale(vision: dict[str, Any], name: str, **extras: Any) -> float:
        config = model_config(vision, init_logit_scale=4.5)  # e ** 4.5 = 90
        return load_vlm(str(write_folder(tmp_path / name, config, **extras))).logit_scale

    assert scale(VIT, "vit") == pytest.approx(40)
    assert scale(CONV, "conv") == pytest.approx(90.017, abs=0.01)
    assert scale(CONV, "stated", semidavil={"dense_logit_scale": 25}) == 25

"""The command line says what it does, refuses bad input in one sentence, and writes nothing when it refuses."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semidavil_core.cli import COMMANDS, main
from semidavil_core.commands.inputs import parse_channels, read_classes, read_settings
from semidavil_core.commands.running import Job, Outcome, exit_code_of, run_command
from semidavil_core.control import RunControl
from semidavil_core.errors import AdaptationFailed, InvalidClasses, InvalidSettings
from semidavil_core.events import Notice, StageProgress, StageStarted, StepFinished
from semidavil_core.requests import (
    CommandRequest,
    DemoRequest,
)
from semidavil_core.settings import AdaptSettings, PredictSettings

OPTIONS = {
    "demo": ("--out", "--sample", "--budget", "--device", "--seed", "--json"),
    "pretrain": (
        "--images",
        "--captions",
        "--source",
        "--classes",
        "--out",
        "--settings",
        "--seed",
        "--channels",
    ),
    "zero-shot": ("--vlm", "--classes", "--images", "--out", "--confidence", "--channels", "--device"),
    "prepare": (
        "--source",
        "--classes",
        "--vlm",
        "--out",
        "--budget",
        "--steps",
        "--settings",
        "--seed",
        "--channels",
    ),
    "adapt": (
        "--model",
        "--target",
        "--scribbles",
        "--source",
        "--out",
        "--budget",
        "--rounds",
        "--settings",
    ),
    "predict": ("--model", "--images", "--out", "--confidence", "--format", "--device", "--channels"),
    "evaluate": ("--model", "--images", "--labels", "--json", "--device", "--channels"),
    "suggest": ("--model", "--images", "--scribbles", "--json", "--count", "--device", "--channels"),
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A tiny labelled dataset of two classes: ``images/``, ``labels/``, ``classes.json``."""
    folder = tmp_path / "dataset"
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for name in ("a", "b"):
        labels = np.zeros((32, 48), np.uint8)
        labels[:, 24:] = 1
        image = rng.integers(0, 60, (32, 48, 3)) + labels[..., None] * 120
        Image.fromarray(image.astype(np.uint8)).save(folder / "images" / f"{name}.png")
        Image.fromarray(labels).save(folder / "labels" / f"{name}.png")
    (folder / "classes.json").write_text(
        json.dumps([{"name": "ground", "value": 0}, {"name": "sky", "value": 1}])
    )
    return folder


def files_below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def refusals(told: str) -> list[str]:
    return [line for line in told.splitlines() if line.startswith("semidavil: ")]


@pytest.mark.parametrize("command", OPTIONS)
def test_help_names_every_option(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in OPTIONS[command])


def test_no_command_shows_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)
    assert set(OPTIONS) == set(COMMANDS)


BAD_WORDS = {
    "an unknown command": "nonsense",
    "an unknown option": "predict --model m --images i --out {out} --speed 3",
    "a missing option": "adapt --model m",
    "a budget that is no number": "demo --out {out} --budget soon",
    "a negative budget": "demo --out {out} --budget -3",
    "an infinite budget": "demo --out {out} --budget inf",
    "an unknown sample": "demo --out {out} --sample mars",
    "an unknown device": "predict --model m --images i --out {out} --device tpu",
    "no rounds": "adapt --model m --target {data} --scribbles {data}/labels --out {out} --rounds 0",
    "a source that is not there": "prepare --source {data}/none --out {out}",
    "a classes file that is not there": "prepare --source {data} --classes none.json --out {out}",
    "classes given twice": "zero-shot --classes sky,Sky --images {data} --out {out}",
    "empty class names": "zero-shot --classes , --images {data} --out {out}",
    "a folder without images": "zero-shot --classes a,b --images {empty} --out {out}",
    "an unknown model name": "zero-shot --vlm no-such-model --classes a,b --images {data} --out {out}",
    "a bundle that is not there": "predict --model {data}/none --images {data} --out {out}",
    "a bundle that is none": "predict --model {data} --images {data} --out {out}",
    "channels that are words": "predict --model m --images {data} --out {out} --channels red",
    "an unknown format": "predict --model m --images {data} --out {out} --format bmp",
    "a settings file that is not there": "prepare --source {data} --out {out} --settings none.json",
    "a settings file that is no JSON": "prepare --source {data} --out {out} --settings {data}/images/a.png",
    "settings with an unknown name": "prepare --source {data} --out {out} --settings {unknown}",
    "settings out of range": "prepare --source {data} --out {out} --settings {range}",
    "output on a file": "prepare --source {data} --out {data}/classes.json",
    "output below a file": "prepare --source {data} --out {data}/classes.json/deep",
    "output over other files": "prepare --source {data} --out {data}",
    "output among the images": "predict --model m --images {data} --out {data}/images",
    "scores to a folder": "evaluate --model m --images {data} --labels {data}/labels --json {data}",
    "no places": "suggest --model m --images {data} --count 0",
    "places to a folder": "suggest --model m --images {data} --json {data}",
    "places of a bundle that is none": "suggest --model {data} --images {data} --json {out}",
    "nothing to learn from": "pretrain --out {out}",
    "captions without images": "pretrain --captions c.csv --out {out}",
    "captions and a source": "pretrain --images {data} --captions c.csv --source {data} --out {out}",
}


@pytest.mark.parametrize("words", BAD_WORDS.values(), ids=BAD_WORDS.keys())
def test_bad_input_is_refused_in_one_sentence_and_nothing_is_written(
    words: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "unknown.json").write_text('{"speed": 3}')
    (tmp_path / "range.json").write_text('{"crop": 17}')
    places = {
        "out": "out",
        "data": "dataset",
        "empty": "empty",
        "unknown": "unknown.json",
        "range": "range.json",
    }
    before = files_below(tmp_path)
    code = main(shlex.split(words.format(**{name: tmp_path / place for name, place in places.items()})))
    told = capsys.readouterr()
    assert code == 2
    assert len(refusals(told.err)) == 1, told.err
    assert "Traceback" not in told.err
    assert files_below(tmp_path) == before


def break_image(dataset: Path) -> None:
    path = dataset / "images" / "a.png"
    path.write_bytes(path.read_bytes()[:60])


def empty_image(dataset: Path) -> None:
    (dataset / "images" / "a.png").write_bytes(b"")


def remove_label(dataset: Path) -> None:
    (dataset / "labels" / "a.png").unlink()


def add_lonely_label(dataset: Path) -> None:
    Image.fromarray(np.zeros((32, 48), np.uint8)).save(dataset / "labels" / "c.png")


def shrink_label(dataset: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(dataset / "labels" / "a.png")


def duplicate_stem(dataset: Path) -> None:
    Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(dataset / "images" / "a.jpg")


def unknown_value(dataset: Path) -> None:
    Image.fromarray(np.full((32, 48), 77, np.uint8)).save(dataset / "labels" / "a.png")


def damage_classes(dataset: Path) -> None:
    (dataset / "classes.json").write_text('[{"name": "a"}, {"name": "a"}]')


@pytest.mark.parametrize(
    "spoil",
    [
        break_image,
        empty_image,
        remove_label,
        add_lonely_label,
        shrink_label,
        duplicate_stem,
        unknown_value,
        damage_classes,
    ],
)
def test_a_spoilt_dataset_is_refused_before_training(
    spoil: Callable[[Path], None], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(dataset)
    before = files_below(tmp_path)
    assert main(["prepare", "--source", str(dataset), "--out", str(tmp_path / "out"), "--steps", "1"]) == 2
    told = capsys.readouterr().err
    assert len(refusals(told)) == 1
    assert "Traceback" not in told
    assert files_below(tmp_path) == before


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(dataset: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert main(["prepare", "--source", str(dataset), "--out", str(locked / "out")]) == 2


def test_json_mode_ends_with_the_failure_as_an_event(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "prepare",
                "--source",
                str(tmp_path / "none"),
                "--classes",
                "a,b",
                "--out",
                str(tmp_path / "o"),
                "--json",
            ]
        )
        == 2
    )
    told = capsys.readouterr()
    last = json.loads(told.out.splitlines()[-1])
    assert last["event"] == "Failed"
    assert last["error"] == "InvalidDataset"
    assert last["message"] in told.err


# --- running ------------------------------------------------------------------------------------------------------------


def two_stages(request: CommandRequest, control: RunControl) -> Job:
    yield StageStarted("reading", 2, "images")
    yield StageProgress(1)
    yield Notice("half way")
    yield StepFinished(step=1, seconds=0.5, fraction=0.5, loss=float("nan"))
    return Outcome({"score": float("nan"), "out": Path("x")}, "all done")


def request() -> CommandRequest:
    return DemoRequest(out=Path("x"))


def test_json_lines_are_strict_json_and_end_with_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(request(), two_stages, as_json=True) == 0
    lines = [json.loads(line, parse_constant=pytest.fail) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == [
        "StageStarted",
        "StageProgress",
        "Notice",
        "StepFinished",
        "Done",
    ]
    assert lines[3]["loss"] is None
    assert lines[4]["result"] == {"score": None, "out": "x"}


def test_without_a_terminal_progress_is_plain_lines_and_the_result_goes_to_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(request(), two_stages, as_json=False) == 0
    told = capsys.readouterr()
    assert told.out == "all done\n"
    assert told.err.splitlines() == ["Reading", "Note: half way"]


def endless(request: CommandRequest, control: RunControl) -> Job:
    yield StageStarted("training", 0)
    os.kill(os.getpid(), signal.SIGINT)
    deadline = time.monotonic() + 20
    while not control.stop_requested and time.monotonic() < deadline:
        yield StepFinished(step=1, seconds=1.0, fraction=0.1, loss=1.0)
    return Outcome({"stopped": control.stop_requested}, "kept the last good state")


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot interrupt itself there")
def test_ctrl_c_stops_at_the_next_step_keeps_the_state_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert run_command(request(), endless, as_json=False) == 130
    assert "kept the last good state" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot interrupt itself there")
def test_ctrl_c_ends_a_job_that_has_nothing_to_keep_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(request(), endless, as_json=False, stops_at_once=True) == 130
    assert len(refusals(capsys.readouterr().err)) == 1


def test_a_command_runs_in_a_thread_too() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run_command(request(), two_stages, as_json=True)))
    thread.start()
    thread.join()
    assert codes == [0]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidClasses("two\nlines"), 2),
        (AdaptationFailed("the loss left the numbers"), 1),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 1),
        (BrokenPipeError(), 1),
        (ZeroDivisionError(), None),
    ],
)
def test_errors_have_exit_codes_and_one_line(
    error: BaseException,
    code: int | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # a broken pipe closes it
    assert exit_code_of(error) == code
    assert len(capsys.readouterr().err.splitlines()) <= 1


# --- options ------------------------------------------------------------------------------------------------------------


def test_classes_come_from_names_a_file_or_the_dataset(dataset: Path) -> None:
    assert read_classes("road, car").names == ("road", "car")
    assert read_classes("road").names == ("road",)
    assert read_classes(str(dataset / "classes.json")).names == ("ground", "sky")
    assert read_classes(None, default=dataset).names == ("ground", "sky")
    assert read_classes(None, default=dataset / "images").names == ("ground", "sky"), (
        "or from the folder around it"
    )
    with pytest.raises(InvalidClasses):
        read_classes(None, default=dataset / "images" / "none")


def test_a_seed_overrides_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"seed": 3, "crop": 128}')
    settings = read_settings(file, AdaptSettings, seed=5)
    assert (settings.seed, settings.crop) == (5, 128)
    assert read_settings(None, PredictSettings, seed=5) == PredictSettings()


def test_a_bad_settings_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("[1]")
    with pytest.raises(InvalidSettings, match=r"settings\.json"):
        read_settings(file, AdaptSettings)


def test_channels_are_optional() -> None:
    assert parse_channels(None) is None
    assert tuple(parse_channels("1,0,2") or ()) == (1, 0, 2)

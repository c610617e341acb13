"""What the engine does with a request: the one place where messages meet the model."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.adaptation.editable_domain import EditableDomain, RelabelledDomain
from semidavil_core.adaptation.preparation import iter_prepare, iter_unlabelled
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.atomic_files import write_json
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.channels import ChannelChoice, to_rgb
from semidavil_core.data.domains import (
    Domain,
    MemoryDomain,
    Sample,
    class_counts,
    open_evaluation,
    open_labelled,
)
from semidavil_core.devices import choose_device, present_devices
from semidavil_core.engine import requests
from semidavil_core.engine.requests import Request
from semidavil_core.errors import EngineFailed, InvalidInput, InvalidLabels
from semidavil_core.events import (
    DevicesFound,
    Event,
    Notice,
    PreviewReady,
    RoundRestored,
    StageProgress,
    StageStarted,
    SuggestionsReady,
    VlmFound,
)
from semidavil_core.export.bundle import Bundle, load_bundle, save_bundle
from semidavil_core.export.map_files import file_stems, write_maps
from semidavil_core.inference.evaluate import iter_evaluate
from semidavil_core.inference.predict import PREVIEW, Predictor
from semidavil_core.inference.suggest import CoarseMap, PaintedImage, coarse_map, suggest
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.settings import AdaptSettings, PrepareSettings
from semidavil_core.vlm.download import iter_download, missing_package, vlm_is_here
from semidavil_core.vlm.loading import Vlm, load_vlm

PREVIEW_SECONDS: Final = 2.0
_LEAVES_THE_MODEL: Final = (
    requests.SetImage,
    requests.RemoveImage,
    requests.SetScribbles,
    requests.Predict,
    requests.Suggest,
    requests.ListRounds,
    requests.ZeroShot,
    requests.FindVlm,
    requests.DownloadVlm,
    requests.ListDevices,
    requests.Evaluate,
    requests.SaveBundle,
    requests.ExportPredictions,
)
"""What is asked without changing what the model sees in an image; other requests make the kept maps stale."""

Result = Mapping[str, Any]
Answer = Generator[Event, None, Result]


class EngineSession:
    """The state behind one conversation: a bundle, a source, target images with strokes, and the session on them.

    Every request is a method; a generator gives events and returns the result of ``Done``. A request that fails leaves the state
    from before it.
    """

    def __init__(self) -> None:
        self._bundle: Bundle | None = None
        self._source: Domain | None = None
        self._source_classes: ClassSet | None = None
        self._target = EditableDomain()
        self._settings = AdaptSettings()
        self._session: AdaptationSession | None = None
        self._seen: dict[str, CoarseMap] = {}
        self._kept_vlm: tuple[Any, Vlm] | None = None

    def handle(self, request: Request, control: RunControl) -> Answer:
        """Answer one request."""
        method = getattr(self, "_" + type(request).__name__, None)
        if method is None:
            raise EngineFailed(
                f"The engine has no answer to {request.kind}; update both sides to the same version."
            )
        if not isinstance(request, _LEAVES_THE_MODEL):
            self._seen.clear()
        return method(request, control)  # type: ignore[no-any-return]

    # where a model comes from

    def _LoadBundle(self, request: requests.LoadBundle, _: RunControl) -> Answer:
        yield from ()
        self._begin_from(load_bundle(request.folder, device=choose_device(request.device)))
        return {"classes": self._model().classes.to_json()}

    def _SetSource(self, request: requests.SetSource, _: RunControl) -> Answer:
        yield from ()
        classes = request.classes
        if request.folder is not None:
            classes = classes or ClassSet.read(request.folder)
            self._source = open_labelled(request.folder, classes)
        elif request.images:
            self._source = _domain_of_arrays(request.images, request.labels)
        else:
            self._source = None
        self._source_classes = classes
        self._end_session()
        return {"images": 0 if self._source is None else len(self._source)}

    def _PrepareFromSource(self, request: requests.PrepareFromSource, control: RunControl) -> Answer:
        if self._source is None:
            raise InvalidInput(
                "There is no labelled source to learn from; choose a source folder or a bundle."
            )
        settings = PrepareSettings.from_json(request.settings)
        vlm = load_vlm(
            request.vlm, device=choose_device(request.device), allow_download=request.allow_download
        )
        yield from (Notice(sentence) for sentence in vlm.notices)
        untrained = segmenter_from_language(vlm, request.classes, seed=settings.seed)
        unlearnt = yield from iter_unlabelled(self._source, request.classes)
        segmenter = yield from iter_prepare(
            untrained, self._source, settings=settings, budget=request.budget, control=control
        )
        self._begin_from(
            Bundle(segmenter, request.classes, vlm.reference, {}, {"prepare": settings.to_json()}, unlearnt)
        )
        return {"classes": request.classes.to_json()}

    def _OpenSession(self, request: requests.OpenSession, _: RunControl) -> Answer:
        yield from ()
        self._settings = AdaptSettings.from_json(request.settings)
        self._end_session()
        self._open()
        return {}

    # what the model is given

    def _SetImage(self, request: requests.SetImage, _: RunControl) -> Answer:
        yield from ()
        channels = None if request.channels is None else ChannelChoice(*request.channels)
        self._seen.pop(request.name, None)
        image = to_rgb(request.image, channels, f"the image {request.name}", axes=request.axes)
        self._images().set_image(request.name, image)
        return {}

    def _RemoveImage(self, request: requests.RemoveImage, _: RunControl) -> Answer:
        yield from ()
        self._seen.pop(request.name, None)
        self._images().remove(request.name)
        return {}

    def _SetScribbles(self, request: requests.SetScribbles, _: RunControl) -> Answer:
        yield from ()
        labels = request.labels
        if labels is not None and request.region is not None:
            labels = _pasted(self._images().sample(request.name), labels, request.region)
        self._images().set_labels(request.name, labels)
        return {}

    def _SetClasses(self, request: requests.SetClasses, _: RunControl) -> Answer:
        yield from ()
        self._open().set_classes(request.classes)
        return {}

    # what the model does

    def _Adapt(self, request: requests.Adapt, control: RunControl) -> Answer:
        end = yield from self._open().adapt(
            request.budget,
            control,
            preview_every=PREVIEW_SECONDS,
            hold_out=request.hold_out,
            keep_better=request.keep_better,
        )
        return {"reason": str(end.reason), "steps": end.steps}

    def _Predict(self, request: requests.Predict, _: RunControl) -> Answer:
        session = self._open()
        predicted = session.predict(request.name, PREVIEW)
        self._seen[request.name] = coarse_map(
            predicted.probabilities, session.target.sample(request.name).image
        )
        yield session.preview_of(request.name, predicted)
        return {}

    def _Suggest(self, request: requests.Suggest, control: RunControl) -> Answer:
        session, found = self._open(), []
        names = session.target.names if request.images is None else request.images
        for name in names:
            if control.stop_requested:
                break
            sample = session.target.sample(name)
            if name not in self._seen:
                self._seen[name] = coarse_map(session.predict(name, PREVIEW).probabilities, sample.image)
            found.append(PaintedImage(name, self._seen[name], sample.labels))
        counts = class_counts(session.target, len(session.classes))
        yield SuggestionsReady(suggest(found, session.classes.names, counts.tolist(), request.count))
        return {}

    def _ZeroShot(self, request: requests.ZeroShot, _: RunControl) -> Answer:
        image = self._images().sample(request.name).image
        if request.vlm is None:
            bundle = self._model()
            device, dense_mode = str(bundle.segmenter.text.device), bundle.vlm.dense_mode
            vlm = self._vlm(bundle.vlm.spec, device, dense_mode)
        else:
            vlm = self._vlm(request.vlm, choose_device(request.device))
        classes = request.classes or self._open().classes
        seen = Predictor(segmenter_from_language(vlm, classes)).predict(image)
        yield PreviewReady(request.name, seen.labels, seen.confidence)
        return {}

    def _FindVlm(self, request: requests.FindVlm, _: RunControl) -> Answer:
        yield _found(request.vlm)
        return {}

    def _DownloadVlm(self, request: requests.DownloadVlm, control: RunControl) -> Answer:
        yield from iter_download(request.vlm, control, check=load_vlm)
        yield _found(request.vlm)
        return {}

    def _ListDevices(self, _: requests.ListDevices, __: RunControl) -> Answer:
        yield DevicesFound(present_devices())
        return {}

    def _Evaluate(self, request: requests.Evaluate, _: RunControl) -> Answer:
        bundle = self._open().bundle()
        domain = open_evaluation(request.images, request.labels, bundle.classes)
        scores = yield from iter_evaluate(bundle.segmenter, domain, bundle.classes)
        return scores.to_json()

    def _SaveBundle(self, request: requests.SaveBundle, _: RunControl) -> Answer:
        yield from ()
        save_bundle(self._open().bundle(), request.folder)
        return {"folder": request.folder}

    def _ExportPredictions(self, request: requests.ExportPredictions, control: RunControl) -> Answer:
        session = self._open()
        names = request.names or session.target.names
        yield StageStarted("exporting the predictions", len(names), "images")
        stems, done = file_stems(names), 0
        for name in names:
            if control.stop_requested:
                break
            maps = session.predict(name)
            write_maps(Path(request.folder), stems[name], maps, session.classes, request.formats)
            done += 1
            yield StageProgress(done)
        write_json(Path(request.folder) / "predictions" / "classes.json", session.classes.to_json())
        return {"images": done}

    def _RestoreRound(self, request: requests.RestoreRound, control: RunControl) -> Answer:
        session = self._open()
        session.restore(request.round)
        yield RoundRestored(request.round)
        for name in request.images:
            if control.stop_requested:
                break
            yield session.preview(name)
        return session.history_to_json()

    def _ListRounds(self, _: requests.ListRounds, __: RunControl) -> Answer:
        yield from ()
        return {"rounds": [], "current": 0} if self._session is None else self._session.history_to_json()

    # state

    def _vlm(self, spec: str, device: str, dense_mode: str | None = None) -> Vlm:
        """A vision-language model; the last one is kept, because the next map is likely to be asked of it."""
        key = (spec, device, dense_mode)
        if self._kept_vlm is None or self._kept_vlm[0] != key:
            self._kept_vlm = None
            self._kept_vlm = key, load_vlm(spec, device=device, dense_mode=dense_mode, allow_download=False)
        return self._kept_vlm[1]

    def _model(self) -> Bundle:
        if self._bundle is None:
            raise InvalidInput("There is no model yet; load a bundle, or prepare one from a labelled source.")
        return self._bundle

    def _open(self) -> AdaptationSession:
        """The session; opened on what there is if none is open."""
        if self._session is None:
            self._session = AdaptationSession(
                self._model(), target=self._target, source=self._matched_source(), settings=self._settings
            )
        return self._session

    def _matched_source(self) -> Domain | None:
        """The source with labels that are indices into the model's classes: a bundle may list them otherwise."""
        known, wanted = self._source_classes, self._model().classes
        if self._source is None or known is None or known.names == wanted.names:
            return self._source
        return RelabelledDomain(self._source, known, wanted, by_name=True)

    def _begin_from(self, bundle: Bundle) -> None:
        self._end_session()
        self._bundle = bundle

    def _end_session(self) -> None:
        """Keep the images and strokes that the session held."""
        self._target = self._images()
        self._session = None

    def _images(self) -> EditableDomain:
        return self._target if self._session is None else self._session.target


def _found(vlm: str) -> VlmFound:
    package = missing_package(vlm)
    problem = (
        f"{vlm} needs the package {package}, which is not installed; run `pip install {package}`."
        if package
        else ""
    )
    return VlmFound(vlm, vlm_is_here(vlm), problem)


def _domain_of_arrays(images: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]]) -> MemoryDomain:
    missing = sorted(set(images) ^ set(labels))
    if missing:
        raise InvalidLabels(
            f"The source images {', '.join(missing[:5])} have no labels, or the labels no image; send both."
        )
    return MemoryDomain(
        [
            Sample(name, to_rgb(image, where=f"the image {name}"), np.asarray(labels[name], np.uint8))
            for name, image in images.items()
        ]
    )


def _pasted(sample: Sample, patch: NDArray[np.uint8], region: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The image's strokes with `patch` in `region` (top, left, bottom, right)."""
    top, left, bottom, right = region
    height, width = sample.image.shape[:2]
    inside = 0 <= top <= bottom <= height and 0 <= left <= right <= width
    if not inside or patch.shape != (bottom - top, right - left):
        raise InvalidLabels(
            f"The strokes of {sample.name} are {patch.shape} for the region {region} of an image of {height} x {width}; "
            "send a patch of the region's size inside the image."
        )
    whole = (
        np.full((height, width), IGNORE_INDEX, np.uint8) if sample.labels is None else sample.labels.copy()
    )
    whole[top:bottom, left:right] = patch
    return whole

"""What the engine does with a request: the one place where messages meet the model."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.adaptation.editable_domain import EditableDomain
from semidavil_core.adaptation.preparation import iter_prepare
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.channels import ChannelChoice, to_rgb
from semidavil_core.data.domains import Domain, MemoryDomain, Sample, open_evaluation, open_labelled
from semidavil_core.devices import choose_device
from semidavil_core.engine import requests
from semidavil_core.engine.requests import Request
from semidavil_core.errors import EngineFailed, InvalidInput, InvalidLabels
from semidavil_core.events import Event, Notice, PreviewReady
from semidavil_core.export.bundle import Bundle, load_bundle, save_bundle
from semidavil_core.inference.evaluate import iter_evaluate
from semidavil_core.inference.predict import Predictor
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.settings import AdaptSettings, PrepareSettings
from semidavil_core.vlm.loading import load_vlm

PREVIEW_SECONDS: Final = 2.0

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
        self._target = EditableDomain()
        self._settings = AdaptSettings()
        self._session: AdaptationSession | None = None

    def handle(self, request: Request, control: RunControl) -> Answer:
        """Answer one request."""
        method = getattr(self, "_" + type(request).__name__, None)
        if method is None:
            raise EngineFailed(
                f"The engine has no answer to {request.kind}; update both sides to the same version."
            )
        return method(request, control)  # type: ignore[no-any-return]

    # where a model comes from

    def _LoadBundle(self, request: requests.LoadBundle, _: RunControl) -> Answer:
        yield from ()
        self._begin_from(load_bundle(request.folder, device=choose_device(request.device)))
        return {"classes": self._model().classes.to_json()}

    def _SetSource(self, request: requests.SetSource, _: RunControl) -> Answer:
        yield from ()
        if request.folder is not None:
            self._source = open_labelled(request.folder, request.classes or ClassSet.read(request.folder))
        elif request.images:
            self._source = _domain_of_arrays(request.images, request.labels)
        else:
            self._source = None
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
        segmenter = yield from iter_prepare(
            untrained, self._source, settings=settings, budget=request.budget, control=control
        )
        self._begin_from(
            Bundle(segmenter, request.classes, vlm.reference, {}, {"prepare": settings.to_json()})
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
        self._images().set_image(request.name, to_rgb(request.image, channels, f"the image {request.name}"))
        return {}

    def _RemoveImage(self, request: requests.RemoveImage, _: RunControl) -> Answer:
        yield from ()
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
        end = yield from self._open().adapt(request.budget, control, preview_every=PREVIEW_SECONDS)
        return {"reason": str(end.reason), "steps": end.steps}

    def _Predict(self, request: requests.Predict, _: RunControl) -> Answer:
        yield self._open().preview(request.name)
        return {}

    def _ZeroShot(self, request: requests.ZeroShot, _: RunControl) -> Answer:
        bundle = self._model()
        device = bundle.segmenter.text.device
        vlm = load_vlm(bundle.vlm.spec, device=device, dense_mode=bundle.vlm.dense_mode, allow_download=False)
        classes = self._open().classes
        image = self._images().sample(request.name).image
        seen = Predictor(segmenter_from_language(vlm, classes)).predict(image)
        yield PreviewReady(request.name, seen.labels, seen.confidence)
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

    def _RestoreRound(self, request: requests.RestoreRound, _: RunControl) -> Answer:
        yield from ()
        self._open().restore(request.round)
        return {}

    # state

    def _model(self) -> Bundle:
        if self._bundle is None:
            raise InvalidInput("There is no model yet; load a bundle, or prepare one from a labelled source.")
        return self._bundle

    def _open(self) -> AdaptationSession:
        """The session; opened on what there is if none is open."""
        if self._session is None:
            self._session = AdaptationSession(
                self._model(), target=self._target, source=self._source, settings=self._settings
            )
        return self._session

    def _begin_from(self, bundle: Bundle) -> None:
        self._end_session()
        self._bundle = bundle

    def _end_session(self) -> None:
        """Keep the images and strokes that the session held."""
        self._target = self._images()
        self._session = None

    def _images(self) -> EditableDomain:
        return self._target if self._session is None else self._session.target


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

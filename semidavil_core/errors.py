"""Everything that can go wrong in a way a person can mend.

The family is deliberately not a ``RuntimeError``: a Qt generator worker swallows those without a signal, so a window would wait
for ever. Each message is one sentence that names the bad value, the place, what is allowed and what to do.
"""

from __future__ import annotations


class SemiDavilError(Exception):
    """Base of every error that SemiDAViL raises on purpose."""


class InvalidInput(SemiDavilError):
    """Something that a person gave cannot be used; the command line exits with code 2."""


class InvalidImage(InvalidInput):
    """An image is unreadable, empty, or holds values that are not numbers."""


class InvalidLabels(InvalidInput):
    """A label map has unknown values, another size than its image, or nothing to learn from."""


class InvalidClasses(InvalidInput):
    """A class list is empty, malformed, or has duplicate names or values."""


class InvalidDataset(InvalidInput):
    """A dataset folder is missing, empty, or its images and labels do not pair up."""


class InvalidBundle(InvalidInput):
    """A bundle is damaged, of a newer schema, or does not fit what it is used with."""


class InvalidProject(InvalidInput):
    """A project folder is damaged, of a newer schema, or no project at all."""


class ProjectInUse(InvalidInput):
    """A project is open in another window or another napari."""


class InvalidSettings(InvalidInput):
    """A setting lies outside its documented range."""


class UnknownModel(InvalidInput):
    """A vision-language model's name is no preset, no open_clip model and no local file."""


class WeightsUnavailable(InvalidInput):
    """A model's weights are neither on this machine nor to be downloaded."""


class OutputNotWritable(InvalidInput):
    """A result could not be written; whatever stood there before is untouched."""


class AdaptationFailed(SemiDavilError):
    """A round ended early (memory, numerics); the session is back at the last good state."""


class EngineFailed(SemiDavilError):
    """The engine process died or broke the protocol; nothing a person painted is lost."""

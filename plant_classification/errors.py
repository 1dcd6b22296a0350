"""Every error that this package raises on purpose, and the HTTP status that each one means.

    PlantClassificationError        500
    ├── ArgumentError               422  an argument that cannot be used
    │   └── UnknownModelError       422  no model or checkpoint of that name
    ├── PhotoError                  422  recognised, but truncated, corrupt, too small or too large
    │   ├── UnsupportedFormatError  415  not a picture that is read
    │   └── TooManyBytesError       413  more bytes than the settings allow
    ├── UrlError                    422  an address that is refused
    │   ├── UnreachableUrlError     502  no answer, or not a 200
    │   └── SlowUrlError            504  too slow
    ├── SlowRequestError            408  its body did not come in time
    ├── UnavailableError            503  the inference process died, or too many wait
    │   ├── ModelNotReadyError      503  the model must be converted first
    │   └── TooManyTrainingsError   503  so many run or wait
    ├── DeadlineError               504  no answer in time
    ├── DatasetError                422  a data set that cannot be used
    ├── TrainingError               500  a training that cannot go on
    │   └── DivergedError           500  its loss or weights are no numbers any more
    ├── DownloadError               502  an archive of a model that cannot be fetched
    ├── ModelFolderError            500  a model folder that is incomplete or damaged
    └── SettingsError               500  a setting that cannot be used

The errors are plain exceptions that survive pickling, since they cross from one process to another.
"""

from __future__ import annotations

from typing import Any


class PlantClassificationError(Exception):
    """Base of all errors of the package.

    Args:
        message: One sentence for the person who can mend it: what is wrong, where, what to do.
        field: The argument or setting at fault, when there is one.
    """

    status = 500
    retry_after: int | None = None
    """Seconds after which the same request is worth another try (HTTP ``Retry-After``)."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.field)


def _rebuild(
    kind: type[PlantClassificationError], message: str, field: str | None
) -> PlantClassificationError:
    return kind(message, field=field)


class ArgumentError(PlantClassificationError):
    """An argument that cannot be used: the message names the field, the rule and what came."""

    status = 422


class UnknownModelError(ArgumentError):
    """No model or checkpoint of that name; the message lists those that exist."""


class PhotoError(PlantClassificationError):
    """A recognised picture that cannot be used: truncated, corrupt, too small, too many pixels."""

    status = 422


class UnsupportedFormatError(PhotoError):
    """The content is not one of the formats that are read."""

    status = 415


class TooManyBytesError(PhotoError):
    """A photo, or all photos of a request, with more bytes than the settings allow."""

    status = 413


class UrlError(PlantClassificationError):
    """An address that is refused; the words are the same for every private range."""

    status = 422


class UnreachableUrlError(UrlError):
    """The address does not answer, or not with 200."""

    status = 502


class SlowUrlError(UrlError):
    """The address did not deliver within the time that the settings allow."""

    status = 504
    retry_after = 1


class SlowRequestError(PlantClassificationError):
    """The body of a request did not come within the deadline of the settings."""

    status = 408


class UnavailableError(PlantClassificationError):
    """What is asked for cannot be had just now: too many ask for it, or a process died."""

    status = 503
    retry_after = 1


class ModelNotReadyError(UnavailableError):
    """The model must be converted first: that goes on just now, or TensorFlow is missing."""

    retry_after = 15


class TooManyTrainingsError(UnavailableError):
    """There is no room for a further training; each may take hours."""

    retry_after = 60


class DeadlineError(PlantClassificationError):
    """No answer within the deadline of the settings; what was running has been ended."""

    status = 504
    retry_after = 1


class DatasetError(PlantClassificationError):
    """A data set that cannot be used; the message names the file and the line."""

    status = 422


class TrainingError(PlantClassificationError):
    """A training that cannot go on; the message says why, and how to go on."""


class DivergedError(TrainingError):
    """The loss or the weights are no numbers any more: going on would come to the same."""


class DownloadError(PlantClassificationError):
    """A download that failed; what came of it is kept where the same command can go on."""

    status = 502


class ModelFolderError(PlantClassificationError):
    """A model folder that is incomplete, damaged or of an unknown format."""


class SettingsError(PlantClassificationError):
    """A setting that is unknown or cannot be used; the message names the file or variable."""

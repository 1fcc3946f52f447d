"""The exception tree. Every error a user can cause is a `CenterCLIPError`.

A message names the value, the rule it breaks and the remedy, in one or two
sentences; the command line prints it as it is, without a traceback.
"""

__all__ = [
    "CenterCLIPError",
    "CheckpointError",
    "ConfigError",
    "DatasetError",
    "FingerprintError",
    "IndexLockedError",
    "IndexStoreError",
    "ModelError",
    "QueryError",
    "ScheduleError",
    "VideoError",
]


class CenterCLIPError(Exception):
    """Anything this package raises because of its input or its surroundings."""


class ScheduleError(CenterCLIPError, ValueError):
    """A token schedule that can't be parsed, or doesn't fit the model or the frames."""


class ModelError(CenterCLIPError):
    """A model that can't be found, reached or used."""


class CheckpointError(ModelError):
    """A checkpoint file that is damaged, unsafe or not of the expected layout."""


class VideoError(CenterCLIPError):
    """A file from which no frames can be had."""


class DatasetError(CenterCLIPError):
    """Annotations or videos of a data set that are missing or malformed."""


class ConfigError(CenterCLIPError, ValueError):
    """A configuration with unknown, missing or contradictory values."""


class IndexStoreError(CenterCLIPError):
    """An index that is missing, damaged, or asked for something it can't do."""


class FingerprintError(IndexStoreError):
    """An index made by another model than the one at hand."""


class IndexLockedError(IndexStoreError):
    """An index that another process is writing to."""


class QueryError(CenterCLIPError, ValueError):
    """A query or a `where` condition that can't be understood."""

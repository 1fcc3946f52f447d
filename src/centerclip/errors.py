"""The exception tree. Every error a user can cause is a `CenterCLIPError`.

A message names the value, the rule it breaks and the remedy in one or two sentences. The command line prints
it unchanged, without a traceback.
"""

__all__ = [
    "CenterCLIPError",
    "CheckpointError",
    "ClusterError",
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
    """Base class of all errors caused by input or environment."""


class ScheduleError(CenterCLIPError, ValueError):
    """A token schedule that can't be parsed, or doesn't fit the model or the frames."""


class ModelError(CenterCLIPError):
    """A model that can't be found, downloaded or used."""


class CheckpointError(ModelError):
    """A checkpoint file that is damaged, unsafe or not of the expected layout."""


class VideoError(CenterCLIPError):
    """A file whose frames can't be decoded."""


class DatasetError(CenterCLIPError):
    """A data set with missing or malformed annotations or videos."""


class ConfigError(CenterCLIPError, ValueError):
    """A configuration with unknown, missing or contradictory values."""


class ClusterError(CenterCLIPError):
    """Other machines or processes that can't be reached, are lost, or can't do the work."""


class IndexStoreError(CenterCLIPError):
    """An index that is missing or damaged, or doesn't support the request."""


class FingerprintError(IndexStoreError):
    """An index made by a different model."""


class IndexLockedError(IndexStoreError):
    """An index that another process is writing to."""


class QueryError(CenterCLIPError, ValueError):
    """A query or a `where` condition that can't be understood."""

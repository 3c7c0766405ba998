"""The exceptions that cellfeat raises.

Each one is a `CellfeatError`, which the command line shows as one message, and also a built-in exception, which other
code can catch without importing this module. A message says what is wrong, where (file and row), what was expected and
found, and what to do next.
"""


class CellfeatError(Exception):
    """Base class of all errors that a user can correct."""

    def __str__(self) -> str:
        # KeyError and related exceptions would show the repr of the message.
        return str(self.args[0]) if self.args else ""


class ConfigError(CellfeatError, ValueError):
    """A setting is unknown, of the wrong type or out of range."""


class ManifestError(CellfeatError, ValueError):
    """The table of samples is inconsistent, or does not match the images."""


class MissingFileError(CellfeatError, FileNotFoundError):
    """A file does not exist."""


class ImageError(CellfeatError, ValueError):
    """An image cannot be read, or does not fit its sample."""


class WorkerError(CellfeatError, RuntimeError):
    """A process that reads images cannot be started or has ended."""


class UnknownNameError(CellfeatError, LookupError):
    """A name is not in a table."""


class DuplicateNameError(CellfeatError, ValueError):
    """A name is in a table already."""


class MissingExtraError(CellfeatError, ImportError):
    """A package from an extra of cellfeat is not installed."""


class WeightsError(CellfeatError, ValueError):
    """Weights are unavailable, damaged, or do not fit their network."""


class BackboneError(CellfeatError, ValueError):
    """A backbone does not support what the settings ask for."""


class DeviceError(CellfeatError, RuntimeError):
    """A device or precision is unavailable on this machine."""


class FeatureFileError(CellfeatError, ValueError):
    """A feature file, or a part of one, is damaged or inconsistent."""


class RecordError(CellfeatError, ValueError):
    """A JSON record that is damaged, or has a field that is not what it should be."""


class FingerprintError(CellfeatError, ValueError):
    """Features were made with another recipe than the current one."""


class BitsError(CellfeatError, RuntimeError):
    """Two machines compute different numbers from the same images."""


class ReadError(CellfeatError, OSError):
    """A file cannot be read now, whatever it holds: it is locked, not permitted, or its disk fails."""


class WriteError(CellfeatError, OSError):
    """A file cannot be written."""


class DiskFullError(WriteError):
    """The disk or the quota is full."""


class BusyError(CellfeatError, RuntimeError):
    """Another run is using the output."""


class SchedulerError(CellfeatError, RuntimeError):
    """A scheduler such as Slurm is not there, or refuses a job."""


class SplitError(CellfeatError, ValueError):
    """Samples cannot be split into folds as requested."""


class HeadError(CellfeatError, ValueError):
    """A head cannot be built, fitted or loaded as requested."""


class BundleError(CellfeatError, ValueError):
    """A saved head is damaged or has another format."""

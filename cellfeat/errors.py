"""Every exception that cellfeat raises on purpose.

Each one is a `CellfeatError`, so that the command line can turn it into one message, and the
familiar built-in, so that ordinary Python code can catch it without knowing this module.
A message says what is wrong, where (file and row), what was expected and found, and what to do next.
"""


class CellfeatError(Exception):
    """Base of every error that a user can mend."""

    def __str__(self) -> str:
        # KeyError and its kin would print the repr of the message.
        return str(self.args[0]) if self.args else ""


class ConfigError(CellfeatError, ValueError):
    """A setting is unknown, of the wrong type or out of range."""


class ManifestError(CellfeatError, ValueError):
    """The table of samples does not fit the images or itself."""


class MissingFileError(CellfeatError, FileNotFoundError):
    """A file that was named does not exist."""


class ImageError(CellfeatError, ValueError):
    """An image cannot be read, or is not what its sample needs."""


class WorkerError(CellfeatError, RuntimeError):
    """A process that reads images cannot be had."""


class UnknownNameError(CellfeatError, LookupError):
    """A name that no table holds."""


class DuplicateNameError(CellfeatError, ValueError):
    """A name that a table holds already."""


class MissingExtraError(CellfeatError, ImportError):
    """A package that only an extra installs."""


class WeightsError(CellfeatError, ValueError):
    """Weights that cannot be had, or do not fit their network."""


class BackboneError(CellfeatError, ValueError):
    """A backbone that cannot do what the settings ask of it."""


class DeviceError(CellfeatError, RuntimeError):
    """A device or a precision that this machine does not have."""


class FeatureFileError(CellfeatError, ValueError):
    """A feature file, or a part of one, that is not what it should be."""


class RecordError(CellfeatError, ValueError):
    """A JSON record that is damaged, or has a field that is not what it should be."""


class FingerprintError(CellfeatError, ValueError):
    """Features made by another recipe than the one at hand."""


class WriteError(CellfeatError, OSError):
    """A file that cannot be written where it is to be."""


class DiskFullError(WriteError):
    """No room on the disk, or in the quota, for what is to be written."""


class BusyError(CellfeatError, RuntimeError):
    """Another run holds the output."""


class SplitError(CellfeatError, ValueError):
    """Samples that cannot be split into folds as asked."""


class HeadError(CellfeatError, ValueError):
    """A head that cannot be built, fitted or loaded as asked."""


class BundleError(CellfeatError, ValueError):
    """A saved head that is damaged, or of another format."""

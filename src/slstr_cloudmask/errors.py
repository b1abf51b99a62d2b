"""What can go wrong, as one small hierarchy.

Every error that a user can cause is a ``CloudMaskError``; each is also the builtin it refines,
so ``except FileNotFoundError`` works too. The command line prints the message alone, without a
traceback: a message says what was expected, what was found, where, and what to do.

    CloudMaskError
    ├── InputError (ValueError)            what was given does not fit: shape, band, value
    │   ├── ConfigError                    a configuration key or value
    │   ├── ModelError                     a model file, or a model that does not fit a scene
    │   └── MissingLabelError              labels are needed and the scene holds none
    ├── MissingFileError (FileNotFoundError)
    ├── BrokenFileError (OSError)          a file that cannot be read: truncated, other format
    ├── OutputExistsError (FileExistsError)
    ├── MissingExtraError (ImportError)    a library that an optional feature needs
    └── WriteError (OSError)               the output could not be written: disk full, no permission
"""


class CloudMaskError(Exception):
    """Anything that a user can cause and mend."""


class InputError(CloudMaskError, ValueError):
    """What was given does not fit."""


class ConfigError(InputError):
    """A configuration key or value is not known or not possible."""


class ModelError(InputError):
    """A model file cannot be used, or does not fit the scene."""


class MissingLabelError(InputError):
    """Labels are needed and the scene holds none."""


class MissingFileError(CloudMaskError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class BrokenFileError(CloudMaskError, OSError):
    """A file exists but cannot be read as what it should be."""


class OutputExistsError(CloudMaskError, FileExistsError):
    """The output is there already and was not to be replaced."""


class MissingExtraError(CloudMaskError, ImportError):
    """An optional feature needs a library that is not installed."""


class WriteError(CloudMaskError, OSError):
    """The output could not be written."""

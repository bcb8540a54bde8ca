"""Every error that impasto raises on purpose.

::

    ImpastoError
    ├── SettingsError      a setting, layer or preset that does not exist or is out of range
    ├── PictureError       a picture that cannot be read, or cannot be used for the task
    ├── OutputError        a result that cannot be written where it was asked for
    ├── WeightsError       a weights file that is damaged or not a VGG-19
    ├── CheckpointError    a checkpoint that is damaged, or of another run
    ├── ClusterError       a cluster whose workers do not start, or are all lost
    ├── HostError          a host program that calls from where nothing can be computed
    ├── MissingExtraError  an optional part (``impasto[...]``) that is not installed
    └── DivergenceError    an optimisation that became NaN or infinite and could not be saved

    UserWarning
    ├── PictureWarning     a picture with something that cannot be used, which is read without it
    │   └── FrameWarning   the first of many pictures in a row that has it
    └── RegionWarning      a region that some layers hardly see, while others do, or that a recipe
                           has and the run has not

Messages name the offending value, the allowed range and the remedy, in one line. The command
line prints them after ``impasto: `` and leaves with ``exit_code``: 2 where the caller asked for
something impossible, 1 where the run itself failed.
"""

from __future__ import annotations


class ImpastoError(Exception):
    """Base class of all errors raised on purpose."""

    exit_code = 2


class SettingsError(ImpastoError, ValueError):
    """A setting, layer or preset that does not exist or is out of range."""


class PictureError(ImpastoError):
    """A picture that cannot be read, or cannot be used for the task."""


class OutputError(ImpastoError):
    """A result that cannot be written where it was asked for."""


class WeightsError(ImpastoError):
    """A weights file that is damaged or not a VGG-19."""


class CheckpointError(ImpastoError):
    """A checkpoint that is damaged, or of another run."""


class ClusterError(ImpastoError):
    """A cluster whose workers do not start, fail, or are all lost."""

    exit_code = 1


class HostError(ImpastoError):
    """The host program calls from where nothing can be computed, such as a transform of torch."""


class MissingExtraError(ImpastoError, ImportError):
    """An optional part (``impasto[...]``) that is not installed."""


class DivergenceError(ImpastoError):
    """An optimisation that became NaN or infinite and could not be saved."""

    exit_code = 1


class PictureWarning(UserWarning):
    """A picture with something that cannot be used, or without its end; it is read nevertheless."""


class FrameWarning(PictureWarning):
    """The same of one of many pictures in a row: the first that has a fault stands for all."""


class RegionWarning(UserWarning):
    """A region that is too small for some layers, which then say nothing of it.

    On the command line also what the recipe of ``--like`` has and the run has not: regions, maps,
    and what a training has no part for.
    """

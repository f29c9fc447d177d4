"""The errors a user can meet: each message gives the value, the rule and the cure."""

from __future__ import annotations


class GaintuneError(Exception):
    """Base of every error raised on purpose; the shells show its message and nothing else."""


class ImageError(GaintuneError, ValueError):
    """The input cannot be denoised as it is (shape, type, values)."""


class NoiseModelError(GaintuneError, ValueError):
    """An objective's noise assumption cannot hold for the given numbers."""


class ModelError(GaintuneError, ValueError):
    """A model is unknown, damaged, or does not fit its card."""


class SettingError(GaintuneError, ValueError):
    """A setting is out of its bounds or contradicts another."""


class DeviceError(GaintuneError, RuntimeError):
    """The wished device is not there or has no memory left."""


class OutputError(GaintuneError, OSError):
    """A result cannot be written without harm."""

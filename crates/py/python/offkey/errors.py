"""Exceptions and warnings. Every exception says what was tried, on what, and what was found; its
``hint`` says what to do about it, where there is something."""

from __future__ import annotations

__all__ = ["CancelledError", "FailedError", "OffkeyError", "OffkeyWarning", "UsageError"]


class OffkeyError(Exception):
    """What every exception of this package is.

    ``str(error)`` is the message with the hint on a line of its own; ``message`` and ``hint`` are
    the two apart.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(OffkeyError, ValueError):
    """What was asked for cannot be: a wrong value, recipe or name."""


class FailedError(OffkeyError):
    """The request is valid, and something kept it from being carried out."""


class CancelledError(OffkeyError):
    """The work was stopped before it was done."""


class OffkeyWarning(UserWarning):
    """Something a person should know, though the call goes on."""

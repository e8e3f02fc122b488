"""How a command ends when it cannot do what it was asked: one clear line and an exit code, never a traceback."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What scripts read: good, not good, and that nothing was done because of how it was asked or whom."""

    OK = 0
    NOT_OK = 1
    WRONG_USAGE = 2
    UNREACHABLE = 2
    INTERRUPTED = 130


class CommandFailed(Exception):
    """The one line that a person reads, and the code that a script reads."""

    def __init__(self, message: str, code: ExitCode = ExitCode.UNREACHABLE) -> None:
        super().__init__(message)
        self.code = code

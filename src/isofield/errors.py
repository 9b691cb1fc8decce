"""The only errors that a user should ever meet."""

from os import PathLike


class IsofieldError(Exception):
    """Something went wrong that is not the input's fault; the command exits with 1."""

    exit_code = 1


class InputError(IsofieldError):
    """Bad usage or bad input, in one line: where (file, line, byte if known), the fault, the way out. Exits with 2."""

    exit_code = 2

    def __init__(self, where: str | PathLike, fault: str, remedy: str):
        self.where, self.fault, self.remedy = str(where), fault, remedy
        super().__init__(f"{where}: {fault}; {remedy}")

"""What a check of a deployment finds: good, worth a look, broken, or not to be told from here."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, Literal, TypeVar

from tds_core.errors import PermitDenied, TdsError, ZohoThrottled

Grade = Literal["good", "look", "broken", "not checked"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: what was found, in plain words, and what to do about it; `about` tells one check's lines apart."""

    grade: Grade
    says: str
    todo: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """One check by its name; `todo` is the advice when it fails altogether, `needs` a check that must not be broken."""

    name: str
    look: Callable[[T], Iterable[Finding]]
    todo: str
    needs: str = ""


def good(says: str, *, about: str = "") -> Finding:
    """All is well."""
    return Finding(grade="good", says=says, about=about)


def worth_a_look(says: str, todo: str, *, about: str = "") -> Finding:
    """It works, but a person should know."""
    return Finding(grade="look", says=says, todo=todo, about=about)


def broken(says: str, todo: str, *, about: str = "") -> Finding:
    """It does not work before somebody does something."""
    return Finding(grade="broken", says=says, todo=todo, about=about)


def unchecked(why: str, *, about: str = "") -> Finding:
    """Nobody knows; never to be read as good."""
    return Finding(grade="not checked", says=f"not checked here: {why}", about=about)


def examine(checks: Sequence[Check[T]], subject: T) -> list[dict[str, Any]]:
    """Make every check in turn; one that raises a TdsError is broken by it, and costs the others nothing.

    The call budget's refusal is no defect: then the check was not made.
    """
    found: list[dict[str, Any]] = []
    failed: set[str] = set()
    for check in checks:
        findings = _look(check, subject, failed)
        if any(finding.grade == "broken" for finding in findings) or (check.needs in failed):
            failed.add(check.name)
        found += [{"check": check.name, **asdict(finding)} for finding in findings]
    return found


def _look(check: Check[T], subject: T, failed: Collection[str]) -> list[Finding]:
    if check.needs in failed:
        return [unchecked(f"it needs {check.needs}, which is not well")]
    try:
        return list(check.look(subject))
    except (PermitDenied, ZohoThrottled) as exc:
        return [unchecked(f"{exc}; try again later")]
    except TdsError as exc:
        return [broken(f"{exc.reason}: {exc}", check.todo)]

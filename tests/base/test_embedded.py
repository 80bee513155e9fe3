"""The embedded PostgreSQL: started by many, killed, robbed of its port, and stopped."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import psycopg.conninfo
import pytest

from mains.base import programs, server
from mains.base.embedded import Cluster, UnableToStartDatabase, shared_buffers_mb
from mains.base.homes import HomeNotUsable, user_home
from mains.base.place import Place, default_home

QUICK = {"fsync": "off", "shared_buffers": "32MB", "max_connections": "20"}

as_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root drops to another account")
on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture
def home():
    """A folder that the account of the server can enter; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="mains-embedded-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o711)
        yield Path(place) / "home"


@pytest.fixture
def cluster(home: Path):
    made = Cluster(home=home, settings=QUICK)
    yield made
    made.stop()


def value(url: str, query: str):
    with psycopg.connect(url, connect_timeout=5) as conn:
        row = conn.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def test_it_starts_listens_on_loopback_only_and_stops(cluster: Cluster):
    assert cluster.status().state == "absent"
    urls = cluster.ensure_running()

    assert cluster.status().state == "running"
    assert value(urls.admin, "SHOW listen_addresses") == "127.0.0.1"
    assert value(urls.admin, "SHOW unix_socket_directories") == ""
    assert value(urls.admin, "SHOW shared_preload_libraries") == "pg_stat_statements"
    assert value(urls.app, "SELECT session_user") == "mains_app"
    assert value(urls.ingest, "SELECT session_user") == "mains_ingest"
    assert cluster.stop() is True
    assert cluster.stop() is False
    assert cluster.status().state == "stopped"


def test_nobody_gets_in_without_the_password_and_the_file_of_passwords_is_private(cluster: Cluster):
    urls = cluster.ensure_running()

    assert (cluster.home / "credentials.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password"):
        value(server.with_login(urls.admin, user="postgres", password="guess"), "SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="password"):
        value(server.without_password(urls.admin), "SELECT 1")


def test_no_password_reaches_the_log_or_the_statistics(cluster: Cluster):
    urls = cluster.ensure_running()
    with psycopg.connect(urls.admin, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION pg_stat_statements")
        seen = " ".join(text for (text,) in conn.execute("SELECT query FROM pg_stat_statements"))
    app_password = psycopg.conninfo.conninfo_to_dict(urls.app)["password"]

    assert str(app_password) not in seen + cluster.log.read_text()


def test_the_port_and_the_data_are_the_same_after_a_restart(cluster: Cluster):
    urls = cluster.ensure_running()
    with psycopg.connect(urls.admin) as conn:
        conn.execute("CREATE TABLE kept (said text); INSERT INTO kept VALUES ('still here')")
    cluster.stop()

    assert cluster.ensure_running() == urls
    assert value(urls.admin, "SELECT said FROM kept") == "still here"


def test_a_port_taken_by_somebody_else_is_left_to_them(cluster: Cluster):
    before = cluster.ensure_running()
    port = cluster.status().port
    cluster.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        after = cluster.ensure_running()

    assert after != before
    assert cluster.status().port != port
    assert value(after.app, "SELECT 1") == 1


@on_linux
def test_it_starts_again_after_the_server_was_killed(cluster: Cluster):
    urls = cluster.ensure_running()
    with psycopg.connect(urls.admin) as conn:
        conn.execute("CREATE TABLE kept (said text); INSERT INTO kept VALUES ('committed')")
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while programs.serves(pid, cluster.data):
        time.sleep(0.01)

    assert (cluster.data / "postmaster.pid").exists()
    assert value(cluster.ensure_running().admin, "SELECT said FROM kept") == "committed"


@on_linux
def test_a_stale_lock_file_that_names_a_process_of_somebody_else_does_not_hinder(cluster: Cluster):
    cluster.ensure_running()
    cluster.stop()
    (cluster.data / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.data}\n")

    assert cluster.status().state == "stopped"
    assert value(cluster.ensure_running().app, "SELECT 1") == 1


def test_several_processes_may_start_it_at_once(home: Path, cluster: Cluster):
    program = (
        "import sys; from pathlib import Path; from mains.base.embedded import Cluster; "
        "print(Cluster(home=Path(sys.argv[1])).ensure_running().app)"
    )

    def start() -> str:
        ended = subprocess.run([sys.executable, "-c", program, str(home)], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    with ThreadPoolExecutor(3) as pool:
        urls = set(pool.map(lambda _: start(), range(3)))

    assert urls == {cluster.ensure_running().app}


def test_an_attempt_cut_short_is_made_anew(cluster: Cluster):
    draft = cluster.data.with_name("data.draft")
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    if os.geteuid() == 0:
        account = programs.account_to_run_as(None)
        assert account is not None
        for place in (draft.parent, draft, draft / "PG_VERSION"):
            os.chown(place, account.uid, account.gid)

    assert value(cluster.ensure_running().app, "SELECT 1") == 1


def test_data_of_another_version_is_refused_and_left_alone(cluster: Cluster):
    cluster.ensure_running()
    cluster.stop()
    (cluster.data / "PG_VERSION").write_text("14\n")

    with pytest.raises(UnableToStartDatabase, match="is of PostgreSQL 14"):
        cluster.ensure_running()
    (cluster.data / "PG_VERSION").write_text("18\n")
    assert value(cluster.ensure_running().app, "SELECT 1") == 1


def test_a_wrong_configuration_is_told_in_the_servers_words(home: Path):
    with pytest.raises(UnableToStartDatabase, match="did not start") as refused:
        Cluster(home=home, settings={"shared_buffers": "lots"}).ensure_running()
    assert "server.log" in (refused.value.cure or "")


@pytest.mark.skipif(not Path("/usr/lib/postgresql/15/bin/initdb").exists(), reason="PostgreSQL 15 is not installed here")
def test_the_programs_of_the_system_serve_as_well(home: Path):
    cluster = Cluster(home=home, programs=Path("/usr/lib/postgresql/15/bin"), settings=QUICK)
    try:
        assert value(cluster.ensure_running().admin, "SELECT current_setting('server_version_num')::int / 10000") == 15
    finally:
        cluster.stop()


def test_a_folder_without_programs_says_what_to_set(home: Path):
    with pytest.raises(programs.ProgramsNotFound, match="does not hold initdb"):
        Cluster(home=home, programs=home).ensure_running()


@as_root
def test_root_without_an_unprivileged_account_is_told_what_to_do(home: Path, monkeypatch):
    def nobody_there(name: str):
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", nobody_there)
    with pytest.raises(programs.NoUnprivilegedAccount, match="postgres or nobody") as refused:
        Cluster(home=home).ensure_running()
    assert "MAINS_PG_USER" in (refused.value.cure or "")
    assert not home.exists()


@as_root
@pytest.mark.parametrize("sign", ['"', "$", "`", "\n", "\x07"], ids=ascii)
def test_a_home_that_a_shell_would_read_as_something_else_is_refused(home: Path, sign: str):
    with pytest.raises(HomeNotUsable, match="in its name"):
        Cluster(home=home / f"a{sign}b", settings=QUICK).ensure_running()
    assert not home.exists()


def test_a_home_with_spaces_and_letters_of_other_tongues_serves(home: Path):
    cluster = Cluster(home=home / "wärmé haus's 家", settings=QUICK)
    try:
        assert value(cluster.ensure_running().app, "SELECT session_user") == "mains_app"
    finally:
        cluster.stop()


def test_an_account_that_is_not_there_is_named(home: Path):
    with pytest.raises(programs.NoUnprivilegedAccount, match="'mains-nobody-here'"):
        Cluster(home=home, user="mains-nobody-here").ensure_running()


@as_root
def test_the_account_of_root_is_never_root(home: Path):
    with pytest.raises(programs.NoUnprivilegedAccount):
        Cluster(home=home, user="root").ensure_running()


@as_root
def test_a_home_below_a_closed_folder_is_refused_and_no_mode_is_changed(home: Path):
    home.parent.chmod(0o700)

    with pytest.raises(HomeNotUsable, match="a folder above it is closed to others"):
        Cluster(home=home).ensure_running()
    assert home.parent.stat().st_mode & 0o777 == 0o700


@as_root
def test_programs_below_a_closed_folder_are_copied_once(home: Path):
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    wheel = programs.wheel_programs()
    assert wheel is not None
    package = wheel.parent.parent
    libraries = [place for place in (package.with_name(f"{package.name}.libs"),) if place.exists()]
    subprocess.run(["cp", "-a", package, *libraries, closed], check=True)
    cluster = Cluster(home=home, programs=closed / package.name / "pginstall" / "bin", settings=QUICK)
    try:
        assert value(cluster.ensure_running().app, "SELECT 1") == 1
        assert [place.name for place in (home / "programs").iterdir()] == [".".join(map(str, programs.version_of(wheel)))]
    finally:
        cluster.stop()


@as_root
def test_root_with_a_closed_home_uses_the_systems_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    tmp_path.chmod(0o700)

    assert default_home() == Path("/var/lib/mains")
    assert user_home() == tmp_path / "data" / "mains"


def test_the_environment_names_the_place():
    place = Place.from_environment({"MAINS_HOME": "/srv/mains", "MAINS_PG_BIN": "/opt/pg/bin", "MAINS_DATABASE_URL": ""})

    assert place == Place(home=Path("/srv/mains"), pg_bin=Path("/opt/pg/bin"))
    assert place.is_embedded


def test_memory_for_the_server_is_bounded():
    assert 128 <= shared_buffers_mb() <= 2048


def test_mode_bits_decide_who_can_enter(tmp_path: Path, monkeypatch):
    stranger = programs.Account(name="stranger", uid=4_000_001, gid=4_000_001)
    monkeypatch.setattr(Path, "parents", property(lambda _: ()))
    for mode, enters in ((0o700, False), (0o710, False), (0o701, True), (0o755, True)):
        tmp_path.chmod(mode)
        assert stranger.can_enter(tmp_path) is enters
    owner = tmp_path.stat()
    assert programs.Account(name="owner", uid=owner.st_uid, gid=owner.st_gid).can_enter(tmp_path)

"""Whatever a server does, a file is whole and right or not there; what came isn't asked for twice."""

import hashlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evensight.downloads.connections import DownloadError, checked_base
from evensight.downloads.downloads import Downloader, Patience, RemoteFile, UnreachableError, download_from
from evensight.errors import InputError
from faulty_server import RIGHT, Fault, FaultyServer, certificate, serving

BYTES = random.Random(1).randbytes(200_000)
FILE = RemoteFile("zips/a.zip", len(BYTES), hashlib.sha256(BYTES).hexdigest())
UNPINNED = RemoteFile("zips/a.zip")
HALF = 100_000
HTML = Fault(body=b"<html>Please log in</html>", headers={"Content-Type": "text/html"}, ignores_range=True)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving({"/zips/a.zip": BYTES}) as running:
        yield running


class Waits(list[float]):
    """Waits without waiting, and remembers for how long."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def downloader(
    waits: Waits | None = None, *, stall_s: float = 5.0, n_tries: int = 4, step_bytes: int = 1 << 20
) -> Downloader:
    return Downloader(Patience(stall_s, n_tries, step_bytes, sleep=Waits() if waits is None else waits))


def fetched(server: FaultyServer, folder: Path, file: RemoteFile = FILE, stall_s: float = 5.0) -> bytes:
    downloader(stall_s=stall_s).download(server.base, file, folder / "a.zip")
    return (folder / "a.zip").read_bytes()


def refused(server: FaultyServer, folder: Path, file: RemoteFile = FILE) -> str:
    """The one line that says why a download was refused; nothing has the file's name then."""
    with pytest.raises(DownloadError) as caught:
        fetched(server, folder, file)
    message = str(caught.value)
    assert "\n" not in message
    assert server.base in message
    assert not (folder / "a.zip").exists()
    return message


def test_a_file_comes_whole_and_leaves_nothing_beside(server: FaultyServer, tmp_path: Path) -> None:
    assert fetched(server, tmp_path / "new" / "folder") == BYTES
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["a.zip"]
    assert server.headers[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("file", [FILE, UNPINNED])
def test_a_drop_is_gone_on_from_where_it_was(server: FaultyServer, tmp_path: Path, file: RemoteFile) -> None:
    server.faults = [Fault(drop_after=HALF), Fault(drop_after=7), Fault(drop_after=0)]
    assert fetched(server, tmp_path, file) == BYTES
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-", "bytes=100007-", "bytes=100007-"]
    assert server.headers[1]["If-Range"] == '"version-1"'
    assert server.sent == len(BYTES)


def test_a_stall_is_ended_and_gone_on_from(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(stall_after=HALF)]
    assert fetched(server, tmp_path, stall_s=0.3) == BYTES
    assert server.asked[1][1] == "bytes=100000-"


@settings(max_examples=25)
@given(drops=st.lists(st.integers(0, 5000), max_size=6), has_tag=st.booleans())
def test_any_drops_at_any_bytes_end_with_the_same_bytes(drops: list[int], has_tag: bool) -> None:
    content = BYTES[:5000]
    file = RemoteFile("a", len(content), hashlib.sha256(content).hexdigest())
    with serving({"/a": content}) as server, TemporaryDirectory() as folder:
        server.etag = '"1"' if has_tag else ""
        server.faults = [Fault(drop_after=after) for after in drops]
        downloader(n_tries=len(drops) + 1).download(server.base, file, Path(folder) / "a")
        assert (Path(folder) / "a").read_bytes() == content
        assert server.sent == len(content)  # and no byte was sent twice


def test_a_part_of_another_version_is_given_up(server: FaultyServer, tmp_path: Path) -> None:
    new = BYTES[::-1]
    server.faults = [Fault(drop_after=HALF)]
    with pytest.raises(UnreachableError):
        downloader(n_tries=1).download(server.base, UNPINNED, tmp_path / "a.zip")
    server.files["/zips/a.zip"], server.etag = new, '"version-2"'
    assert fetched(server, tmp_path, UNPINNED) == new
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-"]


@pytest.mark.parametrize(
    "lie",
    [
        Fault(ignores_range=True),
        Fault(headers={"Content-Range": "bytes 99999-199999/200000"}),
        Fault(headers={"Content-Range": "bytes 0-199999/200000"}),
        Fault(headers={"Content-Range": "nonsense"}),
        Fault(headers={"Content-Range": ""}),
        Fault(headers={"ETag": '"version-2"'}),
        Fault(status=416),
    ],
)
def test_where_the_server_does_not_go_on_it_begins_again(server: FaultyServer, tmp_path: Path, lie: Fault) -> None:
    server.faults = [Fault(drop_after=HALF), lie]
    assert fetched(server, tmp_path) == BYTES
    again = [] if lie.ignores_range else [None]  # who ignores the range has sent the whole
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-", *again]


def test_a_body_without_a_length_that_ends_early_is_gone_on_with(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(drop_after=HALF, headers={"Content-Length": "", "Connection": "close"})]
    assert fetched(server, tmp_path) == BYTES
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-"]


def test_a_server_that_promises_another_size_is_refused_at_once(server: FaultyServer, tmp_path: Path) -> None:
    server.always = Fault(body=BYTES + b"!")
    assert "expected 200,000 bytes, the server has 200,001" in refused(server, tmp_path)
    assert len(server.asked) == 1


def test_a_page_to_log_in_is_named_and_what_was_there_stays(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(drop_after=HALF), HTML]
    assert "26 (text/html)" in refused(server, tmp_path)
    assert fetched(server, tmp_path) == BYTES
    assert server.asked[-1][1] == "bytes=100000-"


@pytest.mark.parametrize("file", [FILE, UNPINNED])
def test_more_bytes_than_there_should_be_are_not_read_on(
    server: FaultyServer, tmp_path: Path, file: RemoteFile
) -> None:
    server.always = Fault(endless=True)
    assert "goes on after" in refused(server, tmp_path, file)
    assert server.sent < 100 << 20
    assert list(tmp_path.iterdir()) == []


def test_a_body_shorter_than_promised_is_never_taken_for_whole(server: FaultyServer, tmp_path: Path) -> None:
    lie = {"Content-Length": str(len(BYTES))}
    server.always = Fault(body=BYTES[:HALF], headers=lie, drop_after=HALF, ignores_range=True)
    assert "did not come whole" in refused(server, tmp_path, UNPINNED)


def test_wrong_bytes_are_thrown_away_and_tried_once_more(server: FaultyServer, tmp_path: Path) -> None:
    wrong = BYTES[:-1] + b"x"
    server.faults = [Fault(body=wrong)]
    assert fetched(server, tmp_path) == BYTES
    (tmp_path / "a.zip").unlink()
    server.always = Fault(body=wrong)
    message = refused(server, tmp_path)
    assert str(FILE.sha256) in message
    assert hashlib.sha256(wrong).hexdigest() in message
    assert len(server.asked) == 4
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_part_is_found_by_the_hash(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / ".download-a.zip").write_bytes(bytes(HALF))
    assert fetched(server, tmp_path) == BYTES
    assert [wanted for _, wanted in server.asked] == ["bytes=100000-", None]


def test_a_part_that_is_too_long_is_begun_again(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / ".download-a.zip").write_bytes(BYTES + b"!")
    assert fetched(server, tmp_path) == BYTES
    assert server.asked == [("/zips/a.zip", None)]


def test_a_part_that_is_whole_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / ".download-a.zip").write_bytes(BYTES)
    downloader().download("http://127.0.0.1:1", FILE, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BYTES


def test_without_a_hash_or_a_version_a_part_is_worth_nothing(server: FaultyServer, tmp_path: Path) -> None:
    server.etag = ""
    server.faults = [Fault(drop_after=HALF)]
    assert fetched(server, tmp_path, UNPINNED) == BYTES
    assert [wanted for _, wanted in server.asked] == [None, None]


def test_a_weak_version_is_no_version_but_a_date_is_one(server: FaultyServer, tmp_path: Path) -> None:
    date = "Mon, 01 Jan 2018 00:00:00 GMT"
    server.etag = ""
    server.faults = [Fault(drop_after=HALF, headers={"ETag": 'W/"weak"', "Last-Modified": date})]
    fetched(server, tmp_path, UNPINNED)
    assert server.headers[1]["If-Range"] == date


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 204, 299])
def test_a_refusal_is_told_at_once(server: FaultyServer, tmp_path: Path, status: int) -> None:
    server.always = Fault(status=status, body=b"")
    assert f"the server answered {status}" in refused(server, tmp_path)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_passing_fault_is_waited_out(server: FaultyServer, tmp_path: Path, status: int) -> None:
    server.faults = [Fault(status=status, body=b""), Fault(status=status, body=b"")]
    waits = Waits()
    downloader(waits).download(server.base, FILE, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BYTES
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize(
    ("asked", "waited"),
    [("7", 7.0), ("99999", 120.0), ("9" * 5000, 120.0), ("soon", 1.0), ("-5", 1.0), (formatdate(0), 1.0)],
)
def test_retry_after_is_honoured_up_to_a_bound(
    server: FaultyServer, tmp_path: Path, asked: str, waited: float
) -> None:
    server.faults = [Fault(status=429, body=b"", headers={"Retry-After": asked})]
    waits = Waits()
    downloader(waits).download(server.base, FILE, tmp_path / "a.zip")
    assert waits == [waited]


def test_retry_after_may_be_a_date(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(status=503, body=b"", headers={"Retry-After": formatdate(time.time() + 60, usegmt=True)})]
    waits = Waits()
    downloader(waits).download(server.base, FILE, tmp_path / "a.zip")
    assert 30 < waits[0] <= 60


def test_tries_are_bounded_and_waits_grow(server: FaultyServer, tmp_path: Path) -> None:
    server.always = Fault(drop_after=0)
    waits = Waits()
    with pytest.raises(UnreachableError, match="tries: 5"):
        downloader(waits, n_tries=5).download(server.base, FILE, tmp_path / "a.zip")
    assert waits == [1.0, 2.0, 4.0, 8.0]
    assert len(server.asked) == 5


def test_what_gets_on_may_be_dropped_as_often_as_it_likes(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(drop_after=10_000)] * 15
    waits = Waits()
    downloader(waits, n_tries=2, step_bytes=10_000).download(server.base, FILE, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BYTES
    assert set(waits) == {1.0}


def test_a_server_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    told: list[str] = []
    patient = Downloader(Patience(n_tries=2, sleep=Waits()), tell=told.append)
    with pytest.raises(UnreachableError, match=r"Connection refused \(tries: 2\)"):
        patient.download("http://127.0.0.1:1", FILE, tmp_path / "a.zip")
    assert len(told) == 1


def test_redirects_are_followed_but_not_for_ever(server: FaultyServer, tmp_path: Path) -> None:
    def to(path: str) -> Fault:
        return Fault(status=302, body=b"", headers={"Location": path})

    server.fault_of = {"/zips/a.zip": to("/1"), "/1": to("2"), "/2": to("/3"), "/3": to("/4"), "/4": to("/5")}
    server.files["/5"] = BYTES
    assert fetched(server, tmp_path) == BYTES
    assert len(server.asked) == 6
    (tmp_path / "a.zip").unlink()
    server.fault_of["/5"] = to("/1")
    server.asked.clear()
    assert "redirected more than 5 times" in refused(server, tmp_path)
    assert len(server.asked) == 6


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/a", "", "http://[half"])
def test_a_redirect_to_elsewhere_is_refused(server: FaultyServer, tmp_path: Path, location: str) -> None:
    server.always = Fault(status=301, body=b"", headers={"Location": location})
    refused(server, tmp_path)
    assert len(server.asked) == 1


def test_bytes_that_are_compressed_on_the_way_are_refused(server: FaultyServer, tmp_path: Path) -> None:
    server.always = Fault(headers={"Content-Encoding": "gzip"})
    assert "came as `gzip`" in refused(server, tmp_path, UNPINNED)


def test_two_lengths_are_never_believed(server: FaultyServer, tmp_path: Path) -> None:
    server.always = Fault(headers={"Content-Length": "5, 7"})
    refused(server, tmp_path, UNPINNED)


def test_the_first_base_that_has_it_is_taken(server: FaultyServer, tmp_path: Path) -> None:
    bases = ["http://127.0.0.1:1", f"{server.base}/not", server.base]
    download_from(downloader(n_tries=1), bases, FILE, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BYTES
    with pytest.raises(DownloadError, match=r"refused.*; and .*404"):
        download_from(downloader(n_tries=1), bases[:2], FILE, tmp_path / "b.zip")


def test_a_folder_serves_as_a_base(tmp_path: Path) -> None:
    (tmp_path / "my mirror" / "zips").mkdir(parents=True)
    (tmp_path / "my mirror" / "zips" / "a.zip").write_bytes(BYTES)
    (tmp_path / ".download-a.zip").write_bytes(BYTES[:HALF])
    base = (tmp_path / "my mirror").as_uri()
    downloader().download(base, FILE, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BYTES
    with pytest.raises(DownloadError, match="can't be read: No such file"):
        downloader().download(base, RemoteFile("zips/b.zip"), tmp_path / "b.zip")


@pytest.mark.parametrize(
    "url", ["", "data/coco", "ftp://a/b", "https://", "http://[half", "https://me:secret@a/b", "http://a/?q", "file:"]
)
def test_what_can_not_be_a_mirror_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="can't be a mirror"):
        checked_base(url)


@contextmanager
def trusting(cert: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(cert))
        yield


def test_certificates_are_checked_against_authority_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/zips/a.zip": BYTES}
    right, right_cert = certificate(tmp_path / "right", "IP:127.0.0.1")
    other, other_cert = certificate(tmp_path / "other", "DNS:s3.example.test")
    with serving(files, right) as server:
        with trusting(right_cert, monkeypatch):
            assert fetched(server, tmp_path / "out") == BYTES
        (tmp_path / "out" / "a.zip").unlink()
        assert "self-signed certificate" in refused(server, tmp_path / "out")
        assert len(server.asked) == 1
    with serving(files, other) as server, trusting(other_cert, monkeypatch):
        message = refused(server, tmp_path / "out")
        assert "certificate is not valid for '127.0.0.1'" in message
        assert "nothing was downloaded" in message
        assert server.asked == []


def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, cert = certificate(tmp_path / "tls", "IP:127.0.0.1")
    with serving({"/zips/a.zip": BYTES}) as plain, serving({}, context) as safe, trusting(cert, monkeypatch):
        safe.always = Fault(status=302, body=b"", headers={"Location": f"{plain.base}/zips/a.zip"})
        assert "from https to" in refused(safe, tmp_path / "out")
        assert plain.asked == []


def test_the_environment_names_the_proxy(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.base.removeprefix("http://"))
    downloader().download("http://images.example.test", FILE, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BYTES
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving({}) as other:
        other.always = Fault(status=404)
        refused(other, tmp_path / "out")
        assert len(other.asked) == 1


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://[half", "http://a:port"])
def test_a_proxy_of_another_kind_is_told(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(InputError, match=f"https_proxy is `{re.escape(proxy)}`"):
        Downloader()


def test_a_full_disk_is_told_and_what_came_stays(server: FaultyServer, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, limits[1]))  # as if the disk ended there
    try:
        with pytest.raises(InputError, match=r"can't be written: File too large; .*free some space"):
            fetched(server, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / ".download-a.zip").read_bytes() == BYTES[:150_000]
    assert fetched(server, tmp_path) == BYTES
    assert server.asked[-1][1] == "bytes=150000-"


KILLED = """
import sys
from pathlib import Path
from evensight.downloads.downloads import Downloader, RemoteFile
base, target, n_bytes, sha256 = sys.argv[1:]
Downloader().download(base, RemoteFile("zips/a.zip", int(n_bytes), sha256), Path(target))
"""


def test_a_killed_download_is_gone_on_with(server: FaultyServer, tmp_path: Path) -> None:
    server.pause_s, server.block_bytes = 0.01, 4096
    command = [sys.executable, "-c", KILLED, server.base, str(tmp_path / "a.zip"), str(len(BYTES)), str(FILE.sha256)]
    part = tmp_path / ".download-a.zip"
    process = subprocess.Popen(command, env=os.environ)
    try:
        for _ in range(1500):
            if part.exists() and part.stat().st_size > 40_000:
                break
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    came = part.stat().st_size
    assert 40_000 < came < len(BYTES)
    assert part.read_bytes() == BYTES[:came]
    assert not (tmp_path / "a.zip").exists()
    server.pause_s, server.sent = 0.0, 0
    time.sleep(0.05)
    assert subprocess.run(command, check=False, timeout=30).returncode == 0
    assert (tmp_path / "a.zip").read_bytes() == BYTES
    assert server.asked[-1] == ("/zips/a.zip", f"bytes={came}-")


def test_a_stopped_download_keeps_what_came(server: FaultyServer, tmp_path: Path) -> None:
    stopping = Downloader(Patience())
    with pytest.raises(UnreachableError, match="stopped"):
        stopping.download(server.base, FILE, tmp_path / "a.zip", moved=lambda _: stopping.stop())
    assert (tmp_path / ".download-a.zip").stat().st_size > 0


def test_progress_never_tells_more_than_there_is(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(drop_after=HALF), RIGHT]
    places: list[int] = []
    downloader().download(server.base, FILE, tmp_path / "a.zip", moved=places.append)
    assert places == sorted(places)
    assert places[-1] == len(BYTES)

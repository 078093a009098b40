"""Where a server is, and the key: only from the environment, in no message."""

import subprocess
import sys

import pytest

from evensight.errors import InputError
from evensight.models.servers.settings import Key, ServerSettings, base_url, is_loopback, key_for
from evensight.settings import checked

SECRET = "sk-0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        (" https://api.openai.com/v1/ ", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://host/proxy/vllm", "https://host/proxy/vllm/v1"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai"),
        ("http://[::1]:30000", "http://[::1]:30000/v1"),
        ("HTTP://LocalHost:1", "http://localhost:1/v1"),
    ],
)
def test_a_url_with_or_without_its_version_is_one_place(url: str, base: str) -> None:
    assert base_url(url) == base


@pytest.mark.parametrize(
    "url",
    [
        f"http://{SECRET}@host/v1",
        f"http://me:{SECRET}@host",
        f"https://host/v1?api_key={SECRET}",
        f"https://host/v1#{SECRET}",
        f"//{SECRET}@host",
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://[half",
        "http://ho st",
        "http://host/\x1b[2J",
        "",
    ],
)
def test_what_is_no_place_is_refused_in_one_line_without_its_secrets(url: str) -> None:
    with pytest.raises(InputError, match=r"\A.*expected `http://HOST|\A.*EVENSIGHT_API_KEY") as caught:
        base_url(url)
    assert SECRET not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://127.8.8.8/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://10.0.0.1/v1", False),
        ("http://localhost.evil.test/v1", False),
    ],
)
def test_this_very_machine_is_known(url: str, here: bool) -> None:
    assert is_loopback(url) is here


@pytest.mark.parametrize(
    ("environment", "url", "name"),
    [
        ({"EVENSIGHT_API_KEY": SECRET, "OPENAI_API_KEY": "sk-other"}, "http://10.0.0.1/v1", "EVENSIGHT_API_KEY"),
        ({"OPENAI_API_KEY": SECRET}, "https://api.test/v1", "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": SECRET}, "http://localhost:8000/v1", "OPENAI_API_KEY"),
        ({"EVENSIGHT_API_KEY": " \n", "OPENAI_API_KEY": f"{SECRET}\n"}, "https://api.test/v1", "OPENAI_API_KEY"),
    ],
)
def test_the_key_is_the_environments(environment: dict[str, str], url: str, name: str) -> None:
    assert key_for(url, environment) == Key(SECRET, name)


def test_a_key_of_openai_does_not_go_where_nothing_protects_it() -> None:
    assert key_for("http://10.0.0.1/v1", {"OPENAI_API_KEY": SECRET}) == Key()
    assert Key().headers() == {}


@pytest.mark.parametrize("secret", ["sk-äöü-012345", "sk-012\n345678", "sk 0123456789", "sk-0\x00123456"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(secret: str) -> None:
    with pytest.raises(InputError, match="the environment's EVENSIGHT_API_KEY is no key") as caught:
        key_for("https://api.test/v1", {"EVENSIGHT_API_KEY": secret})
    assert secret not in str(caught.value)


def test_a_key_shows_in_no_representation_and_is_blotted_out() -> None:
    key = Key(SECRET, "EVENSIGHT_API_KEY")
    assert SECRET not in f"{key} {key!r} {[key]}"
    assert key.blotted(f"a {SECRET} b {SECRET}") == "a [key] b [key]"


def test_a_word_that_stands_for_no_key_stays_in_answers() -> None:
    assert Key("EMPTY").blotted("The box is EMPTY.") == "The box is EMPTY."


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"in_flight": 0}, "`in_flight`"),
        ({"choice": "yes"}, "`choice`"),
        ({"by": "luck"}, "`by`"),
        ({"extra": {"temperature": 1, "n": 2}}, "`extra` can't have n, temperature"),
        ({"key": SECRET}, "`key` is not known"),
    ],
)
def test_settings_that_cannot_be_are_told_in_one_line(values: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=r"\A--server: .+\Z") as caught:
        checked(ServerSettings, {"url": "http://localhost", **values}, "--server")
    assert words in str(caught.value)


def test_torch_is_not_needed_to_ask_a_server() -> None:
    code = "import sys, evensight.models.server, evensight.models.servers.answerer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_packages_are_one_line() -> None:
    code = """
import sys
sys.modules["httpx2"] = None
from evensight.errors import InputError
from evensight.models.server import connect
from evensight.models.servers.settings import ServerSettings
try:
    connect(ServerSettings(url="http://localhost:1"))
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "`httpx2` is not installed: install it with `pip install 'evensight[servers]'`\n"

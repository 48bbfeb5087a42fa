"""Which proxy applies, by the environment's variables."""

import base64

import pytest

from slipstream.errors import ConnectFailed
from slipstream.upstream.http.messages import Origin
from slipstream.upstream.http.proxy import read_proxy_rules

_HTTPS = Origin("https", "api.example.com", 443)
_HTTP = Origin("http", "api.example.com", 80)


def _chosen(environ: dict[str, str], origin: Origin) -> str | None:
    proxy = read_proxy_rules(environ).choose(origin)
    return None if proxy is None else proxy.origin.address


@pytest.mark.parametrize(
    ("environ", "https", "http"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://p:1"}, "p:1", None),
        ({"http_proxy": "http://p:1"}, None, "p:1"),
        ({"ALL_PROXY": "http://p:1"}, "p:1", "p:1"),
        ({"all_proxy": "http://p:1", "HTTPS_PROXY": "http://q:2"}, "q:2", "p:1"),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:2"}, "p:1", None),
        ({"HTTPS_PROXY": "p:3128"}, "p:3128", None),
        ({"HTTPS_PROXY": "http://p"}, "p:80", None),
        ({"HTTPS_PROXY": "http://[::1]:8"}, "[::1]:8", None),
        ({"HTTPS_PROXY": ""}, None, None),
    ],
)
def test_proxy_is_chosen_by_scheme(
    environ: dict[str, str], https: str | None, http: str | None
) -> None:
    """The scheme's own variable goes before ALL_PROXY, lower case before upper case."""
    assert _chosen(environ, _HTTPS) == https
    assert _chosen(environ, _HTTP) == http


@pytest.mark.parametrize(
    ("listed", "host", "port", "is_exempt"),
    [
        ("*", "api.example.com", 443, True),
        ("example.com", "api.example.com", 443, True),
        (".example.com", "api.example.com", 443, True),
        ("*.example.com", "api.example.com", 443, True),
        ("EXAMPLE.com , x", "example.com", 443, True),
        ("ample.com", "example.com", 443, False),
        ("example.com:443", "example.com", 443, True),
        ("example.com:80", "example.com", 443, False),
        ("127.0.0.1", "127.0.0.1", 9, True),
        ("127.0.0.1:9", "127.0.0.1", 9, True),
        ("127.0.0.0/8", "127.9.9.9", 9, True),
        ("10.0.0.0/8", "127.0.0.1", 9, False),
        ("::1", "::1", 9, True),
        ("[::1]:9", "::1", 9, True),
        ("[::1]:8", "::1", 9, False),
        ("localhost", "127.0.0.1", 9, False),
        ("", "127.0.0.1", 9, False),
        (".", "api.example.com", 443, False),
    ],
)
def test_no_proxy_exempts_names_addresses_and_networks(
    listed: str, host: str, port: int, is_exempt: bool
) -> None:
    """NO_PROXY means the same here as in other tools; loopback is exempt only if it is listed."""
    rules = read_proxy_rules({"ALL_PROXY": "http://p:1", "NO_PROXY": listed})
    assert (rules.choose(Origin("https", host, port)) is None) is is_exempt


def test_proxy_password_is_sent_and_never_shown() -> None:
    """Userinfo becomes Proxy-Authorization, percent-decoded; no repr holds it."""
    rules = read_proxy_rules({"HTTPS_PROXY": "http://us%40er:hunter2%2F@p:1"})
    proxy = rules.choose(_HTTPS)
    assert proxy is not None
    encoded = base64.b64encode(b"us@er:hunter2/")
    assert proxy.header() == b"Proxy-Authorization: Basic " + encoded + b"\r\n"
    for shown in (repr(proxy), repr(rules), str(rules)):
        assert "hunter2" not in shown
        assert encoded.decode() not in shown


@pytest.mark.parametrize(
    "url", ["socks5://u:hunter2@p:1", "https://u:hunter2@p:1", "http://u:hunter2@:1", "http://p:x"]
)
def test_proxy_that_cannot_be_used_is_refused_when_it_is_needed(url: str) -> None:
    """No connection silently avoids a proxy that was asked for; the password is not repeated."""
    rules = read_proxy_rules({"HTTPS_PROXY": url})
    assert rules.choose(_HTTP) is None
    with pytest.raises(ConnectFailed, match="HTTPS_PROXY names a proxy") as caught:
        rules.choose(_HTTPS)
    assert "hunter2" not in str(caught.value)

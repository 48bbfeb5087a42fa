"""Origins and the bytes of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import ConfigError
from slipstream.upstream.http.messages import (
    HttpRequest,
    Origin,
    encode_head,
    finish_head,
    parse_base_url,
)

_ORIGIN = Origin("https", "api.example.com", 443)


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://api.example.com/v1", Origin("https", "api.example.com", 443), "/v1"),
        ("http://127.0.0.1:9001/v1/", Origin("http", "127.0.0.1", 9001), "/v1"),
        ("http://[::1]:80", Origin("http", "::1", 80), ""),
        ("HTTPS://API.Example.com:8443", Origin("https", "api.example.com", 8443), ""),
        ("https://münchen.example/", Origin("https", "xn--mnchen-3ya.example", 443), ""),
    ],
)
def test_base_url_gives_origin_and_path(url: str, origin: Origin, path: str) -> None:
    """Scheme and host are lower case, the port is the scheme's own unless said."""
    assert parse_base_url(url) == (origin, path)
    assert Origin.parse(url) == origin


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com", "scheme 'ftp'"),
        ("example.com/v1", "scheme ''"),
        ("http:///v1", "no host"),
        ("http://h:0/", "port 0"),
        ("http://h:99999/", "host or port"),
        ("http://[::1/", "host or port"),
        (f"http://{'a' * 64}.example/", "host or port"),
        ("http://user:hunter2@h/", "password"),
        ("https://h/v1?key=hunter2", "query"),
        ("https://h/v1#hunter2", "fragment"),
        ("https://h/a b", "space"),
    ],
)
def test_base_url_that_cannot_be_used_is_refused_without_showing_it(url: str, reason: str) -> None:
    """The reason is named; what may be a key in a URL is not repeated."""
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_base_url(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (Origin("https", "h", 443), "h"),
        (Origin("http", "h", 443), "h:443"),
        (Origin("http", "::1", 80), "[::1]"),
        (Origin("http", "::1", 8080), "[::1]:8080"),
    ],
)
def test_authority_names_the_port_only_where_it_is_not_the_schemes_own(
    origin: Origin, authority: str
) -> None:
    """Some upstreams compare Host with their name and do not expect a port."""
    assert origin.authority == authority


def test_head_holds_line_host_and_headers_in_order() -> None:
    """The request's bytes are exactly what was asked for; nothing is added, as Accept-Encoding."""
    head = encode_head(_ORIGIN, b"POST", b"/v1/c?x=1", ((b"A", b"b"), (b"c", b"d e")))
    assert head == b"POST /v1/c?x=1 HTTP/1.1\r\nHost: api.example.com\r\nA: b\r\nc: d e\r\n"
    assert finish_head(head, b"POST", 5) == head + b"Content-Length: 5\r\n\r\n"


def test_head_of_a_request_without_body_has_a_length_only_where_one_is_expected() -> None:
    """POST with nothing says 0; GET and HEAD say nothing."""
    assert finish_head(b"", b"POST", 0) == b"Content-Length: 0\r\n\r\n"
    assert finish_head(b"", b"GET", 0) == finish_head(b"", b"HEAD", 0) == b"\r\n"


@pytest.mark.parametrize("value", [b"a\r\nX: y", b"a\n", b"a\r", b"\x00", b"\x7f"])
def test_header_value_with_a_control_character_is_refused_without_showing_it(value: bytes) -> None:
    """A key read together with its line end must not become a second header, nor be printed."""
    with pytest.raises(ConfigError, match="'Authorization' has a control") as caught:
        encode_head(_ORIGIN, b"POST", b"/", ((b"Authorization", b"hunter2" + value),))
    assert "hunter2" not in str(caught.value)


@given(name=st.binary(max_size=12), value=st.binary(max_size=30))
def test_header_is_refused_or_arrives_as_one_line(name: bytes, value: bytes) -> None:
    """Whatever a header holds, it cannot change the shape of the request."""
    try:
        head = encode_head(_ORIGIN, b"POST", b"/", ((name, value),))
    except ConfigError:
        return
    lines = head.split(b"\r\n")
    assert lines == [b"POST / HTTP/1.1", b"Host: api.example.com", name + b": " + value, b""]
    assert b"\n" not in value


@pytest.mark.parametrize(
    "name", [b"Host", b"content-length", b"Transfer-Encoding", b"CONNECTION", b"Expect", b"upgrade"]
)
def test_header_that_the_client_writes_itself_is_refused(name: bytes) -> None:
    """Two lengths or hosts are how one request becomes two."""
    with pytest.raises(ConfigError, match="written by the client"):
        encode_head(_ORIGIN, b"POST", b"/", ((name, b"1"),))


@pytest.mark.parametrize(
    ("method", "target"),
    [(b"PO ST", b"/"), (b"", b"/"), (b"GET", b"x"), (b"GET", b"/ x"), (b"GET", b"/\r\nA: b")],
)
def test_request_line_that_would_not_arrive_as_meant_is_refused(
    method: bytes, target: bytes
) -> None:
    """Method and path are checked as headers are."""
    with pytest.raises(ConfigError):
        encode_head(_ORIGIN, method, target, ())


def test_request_repr_shows_no_header_and_no_query() -> None:
    """Keys are in headers, and at one provider in the query."""
    asked = HttpRequest(
        origin=_ORIGIN,
        method=b"POST",
        target=b"/v1?key=hunter2",
        headers=((b"Authorization", b"hunter2"),),
        head=b"hunter2",
        body=b"hunter2",
    )
    assert "hunter2" not in f"{asked!r} {asked!s}"
    assert "api.example.com:443" in repr(asked)

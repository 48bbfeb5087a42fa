"""Feeds parsers with texts cut in every way."""

from collections.abc import Iterable, Iterator

from slipstream.engine.parsers.pieces import OutputParser, Piece


def parse(parser: OutputParser, parts: Iterable[str]) -> list[Piece]:
    """Return all pieces of an answer."""
    pieces = [piece for part in parts for piece in parser.feed(part)]
    return [*pieces, *parser.flush()]


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Join neighbours of text, and of reasoning; leave out lengths and what is empty."""
    found: list[Piece] = []
    for piece in (each._replace(num_letters=0) for each in pieces if each.text):
        if found and piece.kind != "tool" and found[-1].kind == piece.kind:
            found[-1] = found[-1]._replace(text=found[-1].text + piece.text)
        else:
            found.append(piece)
    return found


def splits(text: str) -> Iterator[list[str]]:
    """Yield a text whole, letter by letter, and cut in two at every place."""
    yield [text]
    yield list(text)
    for at in range(1, len(text)):
        yield [text[:at], text[at:]]

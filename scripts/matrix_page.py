"""Writes the tables of docs/dialects.md from those that the tests of the matrix ask for.

    python -m scripts.matrix_page [--check]

What stands above the mark in the page is written by hand and stays. With `--check` nothing is
written, and the status is 1 if the page is not what it would be.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.matrix.cells import (
    CLIENTS,
    FEATURES,
    REASONS,
    UPSTREAMS,
    Client,
    Upstream,
    refusal_of,
)
from tests.matrix.fields import FIELDS, LEFT_OUT, REFUSED

PAGE = Path(__file__).resolve().parents[1] / "docs" / "dialects.md"
MARK: Final = (
    "<!-- Below: written by `make docs` from tests/matrix/cells.py and fields.py: edit those. -->\n"
)
_NOT_ASKED: Final = "–"


def render(page: str) -> str:
    """Return the whole page.

    Args:
        page: As it is now, of which the part above the mark is kept.
    """
    by_hand, mark, _ = page.partition(MARK)
    if not mark:
        by_hand = f"{page}\n" if page else ""
    return by_hand + MARK + "".join([*_matrix(), *_reasons(), *_rows(), *_fields()])


def _matrix() -> Iterable[str]:
    yield "\n## The matrix\n"
    yield (
        "\nA client asks in the dialect of the heading, the upstream speaks that of the column. "
        "`yes` and each refusal are a test in `tests/matrix/test_matrix.py`: the official SDK, "
        "validating strictly, over sockets (but for streams of text completions, where the SDK's "
        "type has no place for a piece that is not the last). A refusal has status 400, names the "
        "field that the error names, in the client's words, and leads to its reason. "
        f"{_NOT_ASKED} is not asked of our own models.\n"
    )
    for client, title in CLIENTS.items():
        yield f"\n### {title} clients\n\n"
        yield _line("", *UPSTREAMS.values()) + "|---" * (len(UPSTREAMS) + 1) + "|\n"
        for name, feature in FEATURES.items():
            yield _line(feature.title, *(_cell(client, upstream, name) for upstream in UPSTREAMS))


def _cell(client: Client, upstream: Upstream, feature: str) -> str:
    if upstream == "local" and not FEATURES[feature].is_local:
        return _NOT_ASKED
    refusal = refusal_of(client, upstream, feature)
    return f"[refused: `{refusal.field}`](#{refusal.reason})" if refusal else "yes"


def _reasons() -> Iterable[str]:
    yield "\n### Why it is refused\n\n"
    for name, reason in REASONS.items():
        yield f'- <a id="{name}"></a>{reason}\n'


def _rows() -> Iterable[str]:
    yield "\n### What a row checks\n\n"
    for feature in FEATURES.values():
        yield f"- **{feature.title}**: {feature.about}.\n"


def _fields() -> Iterable[str]:
    yield "\n## Fields\n"
    yield (
        "\nWhere the fields of a chat are in what the upstream gets. *left out* is named in "
        "`x-slipstream-changed`; *refused* is an error that names the field, and nothing is sent. "
        "A provider with several dialects is asked in the next one instead. Single models refuse "
        "more than their dialect; that is left out and named likewise. Each cell is a test in "
        "`tests/matrix/test_fields.py`.\n\n"
    )
    columns = list(next(iter(FIELDS.values())).fates)
    yield _line("field", *(UPSTREAMS[name] for name in columns)) + "|---" * 6 + "|\n"
    for name, field in FIELDS.items():
        title = name if " " in name else f"`{name}`"
        yield _line(title, *(_fate(field.fates[column]) for column in columns))


def _fate(fate: str) -> str:
    if fate in (LEFT_OUT, REFUSED):
        return f"*{fate}*"
    return f"`{fate}`" if fate != "unheard_of" else "as it is"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; return the exit status."""
    said = PAGE.read_text() if PAGE.is_file() else ""
    page = render(said)
    if arguments == ["--check"]:
        print(f"{PAGE.name} is {'fresh' if said == page else 'stale: run make docs'}")
        return 0 if said == page else 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The documentation says what the code says."""

import re
from pathlib import Path

from scripts import config_page, matrix_page, providers_page
from slipstream.catalog.providers import BY_NAME
from slipstream.config import declared_settings, load
from slipstream.settings import about
from tests.structure.tree import PACKAGE, ROOT, assert_none


def test_config_page_is_fresh() -> None:
    """docs/config.md is what the declarations make it: run `make docs`."""
    assert config_page.PAGE.read_text() == config_page.render()


def test_providers_page_is_fresh() -> None:
    """docs/providers.md is what the rows make it, and its example can be copied and used."""
    page = providers_page.render()
    assert providers_page.PAGE.read_text() == page
    for row in BY_NAME.values():
        assert f"| `{row.name}` | {row.title} | `{row.base_url}` |" in page


def test_configuration_of_the_providers_page_is_valid(tmp_path: Path) -> None:
    """A known name, a server of one's own, one that is like it and one that is like none."""
    examples = re.findall(r"```toml\n(.*?)```", providers_page.render(), re.DOTALL)
    path = tmp_path / "slipstream.toml"
    path.write_text("".join(examples))
    config = load(path, {"SLIPSTREAM_HOME": str(tmp_path), "MISTRAL_API_KEY": "any"})
    rows = {name: endpoint.row for name, endpoint in config.endpoints.items()}
    assert rows == {"mistral": "mistral", "vllm": "vllm", "gpu-2": "vllm", "lab": "lab"}


def test_dialects_page_is_fresh() -> None:
    """The tables of docs/dialects.md are what the tests of the matrix ask for: run `make docs`."""
    page = matrix_page.PAGE.read_text()
    assert matrix_page.MARK in page
    assert page == matrix_page.render(page)


def test_settings_are_all_documented() -> None:
    """Every field of a settings record is declared with a line of help, and is on the page."""
    page = config_page.render()
    for table, key, field, _ in declared_settings():
        said = about(field.metadata)
        assert said is not None, f"{table}.{key}"
        assert said.help.strip(), f"{table}.{key}"
        assert f"`{key}`" in page.split(f"## `[{table}]`")[1].split("\n## ")[0]


def test_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    """What the README shows can be copied and used."""
    examples = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    path = tmp_path / "slipstream.toml"
    configs = []
    for example in examples:
        path.write_text(example)
        environ = {"SLIPSTREAM_HOME": str(tmp_path), "CEREBRAS_API_KEY": "any"}
        configs.append(load(path, environ))
    assert {name for config in configs for name in config.routes} == {"fast", "gpt-oss-120b"}
    assert {name for config in configs for name in config.limits} == {"default"}
    assert set(configs[-1].endpoints) == {"cerebras", "lab"}


def _folders_said(text: str) -> set[str]:
    """Return the folders that a structure page has a row for."""
    return set(re.findall(r"^\| `([a-z_]+)/`", text, re.MULTILINE))


def test_structure_page_has_a_sentence_for_every_folder() -> None:
    """docs/structure.md names the folders that there are, and no other."""
    have = {p.name for p in PACKAGE.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    assert _folders_said((ROOT / "docs/structure.md").read_text()) == have


def test_structure_page_tells_one_request_in_ten_steps() -> None:
    """The path of a request is told in ten numbered steps."""
    text = (ROOT / "docs/structure.md").read_text()
    steps = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
    assert [int(step) for step in steps][:10] == list(range(1, 11))


def _dead_links(text: str, folder: str) -> list[str]:
    """Return relative links of a page that lead to no file."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    return [link for link in links if not (ROOT / folder / link).exists()]


def test_pages_link_to_files_that_exist() -> None:
    """A link from one page to another leads somewhere."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
    assert_none(
        f"{page.name}: {link}"
        for page in pages
        for link in _dead_links(page.read_text(), str(page.parent.relative_to(ROOT)))
    )


# ---- the rules can fail -------------------------------------------------------------------------


def test_folders_said_reads_rows_of_a_table() -> None:
    """Only rows that begin with a folder's name count."""
    assert _folders_said("| `wire/` | bytes |\n| `app.py` | x |\n`server/` is") == {"wire"}


def test_dead_links_reports_a_missing_file() -> None:
    """A link to nothing is seen; addresses and places inside a page are not looked at."""
    text = "[a](README.md) [b](gone.md#x) [c](http://127.0.0.1/) [d](#here)"
    assert _dead_links(text, ".") == ["gone.md"]

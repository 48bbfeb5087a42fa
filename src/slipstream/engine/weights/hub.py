"""Fetches a model from the Hugging Face hub, or from the server that HF_ENDPOINT names.

huggingface_hub knows the user's token, endpoint and proxy, and resumes by itself.
"""

import fnmatch
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final

from slipstream.engine.weights.manifest import MODEL_FILE
from slipstream.engine.weights.openvino_folder import SIDE_FILES
from slipstream.engine.weights.sources import HubRepository
from slipstream.engine.weights.store import require_space
from slipstream.errors import LoadFailed

_FOLDER: Final = "hub"
# Of several GGUF files the form that runs best here, or the one nearest to it.
_PREFERRED: Final = ("*q8_0*", "*q6_k*", "*q4_k_m*", "*q4_0*", "*f16*")


def fetch_hub(
    source: HubRepository,
    folder: Path,
    space_factor: int,
    on_bytes: Callable[[int, int | None], None],
) -> Path:
    """Download a GGUF or a folder of OpenVINO files; gives its path.

    Raises:
        LoadFailed: huggingface_hub is missing, the repository or file is not there or needs a
            token, or it holds no model that can be read.
    """
    hub, refusals = _load()
    target = folder / _FOLDER
    try:
        api = hub.HfApi(library_name="slipstream")
        info = api.model_info(source.repository, revision=source.revision, files_metadata=True)
        sizes = {each.rfilename: each.size or 0 for each in info.siblings or ()}
        wanted = choose_files(source, tuple(sizes))
        total = sum(sizes[name] for name in wanted)
        require_space(folder, total * space_factor, "the model")
        bar = _bar_class(hub, total, on_bytes)
        for name in wanted:
            hub.hf_hub_download(
                source.repository, name, revision=info.sha, local_dir=target, tqdm_class=bar
            )
    except refusals as exc:
        raise LoadFailed(f"{source.label}: {_first_line(exc)}") from exc
    first = target / wanted[0]
    return first if first.suffix == ".gguf" else first.parent


def choose_files(source: HubRepository, names: tuple[str, ...]) -> tuple[str, ...]:
    """Decide what to download of a repository: one GGUF, or the files of one OpenVINO model.

    Raises:
        LoadFailed: The file asked for is not there, or there is nothing that can be read.
    """
    if source.file is not None:
        if source.file not in names:
            listed = ", ".join(name for name in names if name.endswith(".gguf")) or "none"
            raise LoadFailed(f"{source.label}: no such file; its GGUF files: {listed}")
        return (source.file,)
    models = [name for name in names if PurePosixPath(name).name == MODEL_FILE]
    if len(models) == 1:
        home = PurePosixPath(models[0]).parent
        others = (n for n in names if n != models[0] and PurePosixPath(n).is_relative_to(home))
        return (models[0], *(n for n in others if _belongs(PurePosixPath(n).relative_to(home))))
    ggufs = [name for name in names if name.endswith(".gguf")]
    for pattern in _PREFERRED if len(ggufs) > 1 else ("*",):
        matching = [name for name in ggufs if fnmatch.fnmatch(name.lower(), pattern)]
        if len(matching) == 1:
            return (matching[0],)
    raise LoadFailed(
        f"{source.label}: {len(ggufs)} GGUF files and {len(models)} {MODEL_FILE}; name one, as in "
        f"hf:{source.repository}/FILE.gguf" + (f" ({', '.join(ggufs)})" if ggufs else "")
    )


def _belongs(path: PurePosixPath) -> bool:
    return str(path).startswith("openvino_") or str(path) in SIDE_FILES


def _load() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        import huggingface_hub  # heavy: 0.3 s, and of use to this source only
        from huggingface_hub import errors  # heavy: as above
    except ImportError as exc:
        raise LoadFailed(
            "hf: sources need the package huggingface_hub; `pip install slipstream[local]`"
        ) from exc
    return huggingface_hub, (errors.HfHubHTTPError, errors.HFValidationError, OSError, ValueError)


def _bar_class(hub: Any, total: int, on_bytes: Callable[[int, int | None], None]) -> Any:
    done = 0

    class Bar(hub.utils.tqdm):  # type: ignore[misc]
        """Shows nothing itself: adds up what all files received."""

        def __init__(self, *args: Any, **options: Any) -> None:
            options["disable"] = True
            super().__init__(*args, **options)

        def update(self, n: float | None = 1) -> None:
            nonlocal done
            done += int(n or 0)
            on_bytes(min(done, total), total)

    return Bar


def _first_line(exc: BaseException) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[0] if lines else type(exc).__name__

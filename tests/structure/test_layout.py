"""Tests mirror the package, file for file."""

from tests.structure.tree import assert_none, modules, package

# Folders of tests that cut across modules, and those of what stands beside the package.
_ACROSS = (
    "flows/",
    "matrix/",
    "sdks/",
    "structure/",
    "browser/",
    "services/",
    "bench/",
    "wire/fidelity/",
)

# Modules without a test file of their own: path -> where they are tested, or why they need none.
UNTESTED = {
    "__main__.py": "two lines, which tests/cli/test_main.py runs",
    "assembly.py": "wiring; tests/test_app.py and every flow run what it puts together",
    "batches/settings.py": "declarations; tests/test_config.py reads them",
    "choosing.py": "wiring; tests/test_app.py and every flow run what it puts together",
    "choice.py": "declarations, which tests/routing and tests/dispatch use throughout",
    "dispatch/health.py": "a contract; tests/dispatch/scene.py fulfils it",
    "engine/commands.py": "declarations, which tests/engine/test_engine.py sends",
    "engine/grammar_spec.py": "declarations, which tests/engine/test_grammars.py compiles",
    "engine/protocol.py": "declarations; tests/upstream/test_local.py sends every message",
    "engine/request.py": "declarations, which every test of the engine uses",
    "engine/sequence.py": "declarations, which every test of the engine uses",
    "engine/settings.py": "declarations; tests/test_config.py reads them",
    "ledger/settings.py": "declarations; tests/test_config.py reads them",
    "responses/records.py": "declarations, which tests/responses/test_rows.py stores",
    "responses/settings.py": "declarations; tests/test_config.py reads them",
    "routing/facts.py": "declarations, which tests/routing/test_plan.py uses",
    "routing/glances.py": "declarations, which tests/routing/test_field.py reads",
    "routing/routes.py": "declarations, which tests/routing/test_names.py uses",
    "server/asgi.py": "names of types",
    "server/settings.py": "declarations; tests/test_config.py reads them",
    "wire/talk/asking.py": "declarations, which every reader and writer uses",
    "wire/talk/marks.py": "declarations, which every reader and writer uses",
    "wire/talk/means.py": "declarations, which every reader and writer uses",
    "wire/talk/events.py": "declarations, which every reader and writer uses",
}


def _stray(tests: list[str], sources: list[str]) -> list[str]:
    """Return test files that mirror no module and no folder within a folder.

    `test_x_part.py` may split a long `test_x.py`.
    """
    known = {source.removesuffix(".py") for source in sources} | _inner_folders(sources)
    return [test for test in tests if not known & set(_subjects(test))]


def _untested(tests: list[str], sources: list[str]) -> list[str]:
    """Return modules that have no test file, nor has the inner folder that they are part of."""
    tested = {subject for test in tests for subject in _subjects(test)}
    return [
        source
        for source in sources
        if not source.endswith("__init__.py")
        and source.removesuffix(".py") not in tested
        and not tested & _inner_folders([source])
    ]


def _subjects(test: str) -> list[str]:
    """Return what a test file may be about: the longest name first."""
    folder, _, name = f"/{test}".removesuffix(".py").rpartition("/test_")
    words = name.split("_")
    ends = range(len(words), 0, -1)
    return [f"{folder}/{'_'.join(words[:end])}".lstrip("/") for end in ends]


def _inner_folders(sources: list[str]) -> set[str]:
    """Return folders within folders, which may be tested as one thing: `upstream/scripted`."""
    folders = {source.rpartition("/")[0] for source in sources}
    return {folder for folder in folders if "/" in folder}


def _tests() -> list[str]:
    paths = [m.path for m in modules("tests")]
    paths = [path for path in paths if not path.startswith(_ACROSS)]
    return [path for path in paths if path.rpartition("/")[2].startswith("test_")]


def test_test_files_mirror_a_module() -> None:
    """tests/x/test_y.py tests slipstream/x/y.py, so that each is found from the other."""
    assert_none(_stray(_tests(), [m.path for m in package()]))


def test_modules_have_a_test_file() -> None:
    """Every module is tested in its own file, but for those listed with a reason."""
    untested = _untested(_tests(), [m.path for m in package()])
    assert_none(sorted(set(untested) ^ set(UNTESTED)))


def test_stray_reports_a_test_of_nothing() -> None:
    """A test file whose module is gone, or in another folder, is seen."""
    sources = ["wire/sse.py", "call.py", "upstream/scripted/book.py"]
    mirrors = ["wire/test_sse.py", "test_call.py", "wire/test_sse_split.py"]
    assert _stray([*mirrors, "upstream/test_scripted_faults.py"], sources) == []
    lost = ["server/test_sse.py", "wire/test_gone.py", "test_upstream.py"]
    assert _stray(lost, sources) == lost


def test_untested_reports_a_module_without_tests() -> None:
    """A module whose test file is missing is seen; folders' docstrings need none."""
    sources = ["wire/__init__.py", "wire/sse.py", "call.py", "upstream/scripted/book.py"]
    assert _untested(["wire/test_sse.py"], sources) == ["call.py", "upstream/scripted/book.py"]
    tests = ["wire/test_sse_split.py", "test_call.py", "upstream/test_scripted_faults.py"]
    assert _untested(tests, sources) == []

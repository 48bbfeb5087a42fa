"""Rules on texts: words that promise work, names of registries, changelog, Makefile, constraints.

Words and hosts are put together from pieces, so that this file does not contain them.
"""

import re

BANNED_WORDS = tuple(
    "".join(pieces)
    for pieces in (
        ("TO", "DO"),
        ("FIX", "ME"),
        ("for", " now"),
        ("simpli", "fied"),
        ("in a real", " system"),
        ("in a real-world", " system"),
    )
)
# A Python loop over something called `now` is none of them.
_LOOP = r"(?!,? [\w, ]*in )"
_BANNED = re.compile(
    "|".join(rf"\b{re.escape(word)}\b{_LOOP}" for word in BANNED_WORDS), re.IGNORECASE
)

REGISTRY_HOSTS = tuple(
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("repo1", "maven", "org"),
        ("maven", "apache", "org"),
        ("anaconda", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
    )
)
_HOSTS = re.compile("|".join(re.escape(host) for host in REGISTRY_HOSTS), re.IGNORECASE)


def banned_words(path: str, text: str) -> list[str]:
    """Report words that promise work instead of doing it."""
    return _hits(_BANNED, path, text)


def registry_hosts(path: str, text: str) -> list[str]:
    """Report names of package registries: where packages come from is the machine's business."""
    return _hits(_HOSTS, path, text)


def _hits(pattern: re.Pattern[str], path: str, text: str) -> list[str]:
    return [
        f"{path}:{number}: '{match.group()}'"
        for number, line in enumerate(text.splitlines(), 1)
        for match in pattern.finditer(line)
    ]


CHANGELOG_ORDER = ("Security", "Removed", "Deprecated", "Added", "Changed", "Fixed")


def changelog_version(text: str) -> str | None:
    """Return the version of the topmost entry."""
    found = re.search(r"^## \[?([^\]\s]+)", text, re.MULTILINE)
    return found.group(1) if found else None


def changelog_disorder(text: str) -> list[str]:
    """Report headings of an entry that are unknown or out of order."""
    problems = []
    for entry in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        version = entry.split()[0]
        headings = re.findall(r"^### (.+)$", entry, re.MULTILINE)
        unknown = [each for each in headings if each not in CHANGELOG_ORDER]
        problems += [f"{version}: unknown heading '{each}'" for each in unknown]
        if not unknown and headings != sorted(headings, key=CHANGELOG_ORDER.index):
            problems.append(f"{version}: the order is {', '.join(CHANGELOG_ORDER)}")
    return problems


def make_targets(text: str) -> dict[str, list[str]]:
    """Return each target of a Makefile with the lines of its recipe."""
    targets: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        found = re.match(r"^([a-z][a-z-]*)\s*:(?!=)", line)
        if found:
            current = targets.setdefault(found.group(1), [])
        elif line.startswith("\t") and current is not None:
            current.append(line.strip())
    return targets


def loose_pins(path: str, text: str) -> list[str]:
    """Report requirements that are not pinned with `==` and at least one hash."""
    problems = []
    for block in re.split(r"\n(?=\S)", text.strip()):
        name = block.split("\n", 1)[0].rstrip(" \\")
        if not re.match(r"^[a-z0-9][a-z0-9.-]*==\S+( ; .+)?$", name):
            problems.append(f"{path}: '{name}' is not pinned")
        elif "--hash=sha256:" not in block:
            problems.append(f"{path}: '{name}' has no hash")
    return problems


def pinned(text: str) -> dict[str, str]:
    """Return each requirement's line by its package name."""
    lines = [line for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    return {line.split("==")[0]: line.rstrip(" \\") for line in lines}

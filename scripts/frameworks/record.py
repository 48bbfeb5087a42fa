"""Write down what the frameworks send, so that our own tests can send it again without them.

    python -m scripts.frameworks.record    writes tests/flows/framework_requests.json

The programs ask the scripted upstream itself, whose log has every request as it came.
"""

import json
from typing import Any
from urllib.request import Request, urlopen

from scripts.frameworks.programs import NAMES, ROOT, run_program
from scripts.frameworks.scene import ECHO, mock

PAGE = ROOT / "tests" / "flows" / "framework_requests.json"
_HEADERS = ("anthropic-version", "anthropic-beta")


def main() -> None:
    """Run every program against the scripted upstream; keep each request once."""
    kept: dict[str, dict[str, Any]] = {}
    with mock() as origin:
        for name in NAMES:
            urlopen(Request(f"{origin}/mock/log", method="DELETE")).close()
            run_program(name, origin, "any", [ECHO])
            with urlopen(f"{origin}/mock/log") as answer:
                rows = json.load(answer)
            for row in rows["requests"]:
                _keep(kept, name, row)
    lines = [json.dumps(each, sort_keys=True) for each in kept.values()]
    PAGE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def _keep(kept: dict[str, dict[str, Any]], framework: str, row: dict[str, Any]) -> None:
    """Keep a request unless one of the same framework is like it."""
    body = json.loads(row["body"])
    headers = {name: row["headers"][name] for name in _HEADERS if name in row["headers"]}
    said = {"framework": framework, "path": row["path"], "headers": headers, "body": body}
    kept.setdefault(json.dumps(said, sort_keys=True), said)


if __name__ == "__main__":
    main()

"""Turn every benchmarks/results/*.json into docs/results.md. Run: python tools/results.py"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "results.md"
HEAD = """# Results

Made by `tools/results.py` from `benchmarks/results/*.json`; do not edit by hand. `make bench` measures anew what needs
no trained model; the others name their command. Lengths are in the unit frame of the true shape (farthest vertex at
radius 1/1.03) unless a column says otherwise.
"""


def main() -> None:
    PAGE.write_text(page([json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]))
    print(PAGE.relative_to(ROOT))


def page(results: list[dict]) -> str:
    """The whole page, one chapter for each result.

    reading: what a person wrote of these numbers, kept with them; a benchmark that is run again stores none.
    """
    chapters = [chapter(result) for result in results] or ["No benchmark has been run yet.\n"]
    return "\n".join([HEAD, *chapters])


def chapter(result: dict) -> str:
    origin = f"`{result['command']}` on {hardware(result['machine'])}; {result['date']}, commit `{result['commit']}`."
    notes = "\n".join(f"- {note}" for note in result["notes"])
    reading = " ".join(result.get("reading", []))
    parts = [f"## {result['title']}", origin, notes, *(markdown_table(table) for table in result["tables"]), reading]
    return "\n\n".join(part for part in parts if part) + "\n"


def hardware(machine: dict) -> str:
    """One line of what the numbers were taken on."""
    memory = f", {machine['memory_gib']:g} GiB" if machine.get("memory_gib") else ""
    known = {"processor", "cores", "memory_gib", "system"}
    versions = ", ".join(f"{key} {value}" for key, value in machine.items() if key not in known)
    return f"{machine['processor']}, {machine['cores']} cores{memory}, {machine['system']}, {versions}"


def markdown_table(table: dict) -> str:
    numeric = [all(_is_number(row[k]) for row in table["rows"]) for k in range(len(table["columns"]))]
    rule = ["---:" if number else "---" for number in numeric]
    rows = [table["columns"], rule, *([cell(value) for value in row] for row in table["rows"])]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([f"### {table['title']}", "", *lines])


def cell(value: Any) -> str:
    """Four significant digits for floats, yes or no for booleans, a dash for what was not measured."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


if __name__ == "__main__":
    main()

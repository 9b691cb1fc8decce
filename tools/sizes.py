"""Print where the code departs from readable sizes: places to look, not a gate. Run: python tools/sizes.py"""

import ast
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LONG_FILE, LONG_FUNCTION = 500, 80


class Function(NamedTuple):
    name: str
    lines: int


def main() -> None:
    print("\n".join(report(ROOT / "src", ROOT / "tests")))


def report(source: Path, tests: Path) -> list[str]:
    """The report for all Python files below two folders, line by line."""
    files = {path.relative_to(source).as_posix(): path.read_text() for path in sorted(source.rglob("*.py"))}
    sizes = {name: text.count("\n") for name, text in files.items()}
    functions = [function for name, text in files.items() for function in functions_of(name, text)]
    tested = sum(path.read_text().count("\n") for path in tests.rglob("*.py"))
    total = sum(sizes.values())
    return [
        f"files      {len(sizes)}, lines p50 / p90 / max: {spread(list(sizes.values()))}",
        f"functions  {len(functions)}, lines p50 / p90 / max: {spread([f.lines for f in functions])}",
        f"lines      source {total}, tests {tested}, ratio {tested / max(total, 1):.2f}",
        *(f"long file      {lines:4d}  {name}" for name, lines in sizes.items() if lines > LONG_FILE),
        *(f"long function  {f.lines:4d}  {f.name}" for f in functions if f.lines > LONG_FUNCTION),
    ]


def functions_of(file: str, text: str) -> list[Function]:
    """Every function and method, with its length from `def` to its last line."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return [Function(f"{file}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1) for node in nodes]


def spread(values: list[int]) -> str:
    """Median, 90th percentile and maximum."""
    if len(values) < 2:
        return " / ".join([str(v) for v in values] * 3) or "none"
    tenths = quantiles(values, n=10, method="inclusive")
    return f"{tenths[4]:.0f} / {tenths[8]:.0f} / {max(values)}"


if __name__ == "__main__":
    main()

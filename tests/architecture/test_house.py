"""The rules of the house: where a file may import from, and how it reads."""

from __future__ import annotations

import ast
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "fathom"
FILES = sorted(SOURCE.rglob("*.py"))

FLOORS = {
    **dict.fromkeys(["core"], 0),
    **dict.fromkeys(["scratch", "text", "vision", "plots", "calculus", "metrics"], 1),
    **dict.fromkeys(["models", "data", "objectives"], 2),
    # A model and its data meet in the use of what was trained, as they do in recipes.
    **dict.fromkeys(["engine", "predictors"], 3),
    **dict.fromkeys(["recipes"], 4),
    **dict.fromkeys(["cli", "check", "bench", "lab", "d2l", "__main__"], 5),
}
NAMES = [str(path.relative_to(SOURCE)) for path in FILES]


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """The modules of ours that a file imports, wherever in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fathom"):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [
                m
                for m in inner
                if (SOURCE.parent / m.replace(".", "/")).with_suffix(".py").exists()
                or (SOURCE.parent / m.replace(".", "/")).is_dir()
            ]
            found += modules or [str(node.module)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith("fathom")]
    return found


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_imports_point_down(path):
    if path.name == "__init__.py" and path.parent == SOURCE:
        return
    here = room(path)
    for module in imports(path):
        parts = module.split(".")
        if len(parts) == 1:
            continue  # the package itself: its version
        there = parts[1]
        if there == here:
            continue
        assert FLOORS[there] < FLOORS[here] or (FLOORS[here] == 5 and FLOORS[there] == 5), (
            f"{path.relative_to(SOURCE)} (floor {FLOORS[here]}) imports {module} "
            f"(floor {FLOORS[there]})"
        )


def test_the_engine_sees_core_only():
    for path in (SOURCE / "engine").glob("*.py"):
        rooms = {module.split(".")[1] for module in imports(path)}
        assert rooms <= {"core", "engine"}, path.name


def test_no_cycles_between_files():
    graph = {}
    for path in FILES:
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        graph[name.removesuffix(".__init__")] = top_level_imports(path)
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name in done:
            return
        for other in graph.get(name, ()):
            if other != name:
                visit(other, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def top_level_imports(path: Path) -> list[str]:
    """Modules of ours imported when the file is (those inside functions come later)."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fathom"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = (SOURCE.parent / inner.replace(".", "/")).with_suffix(".py").exists()
                found.append(inner if is_module else str(node.module))
    return found


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_has_one_subject_and_says_it(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, "past 400 lines a file has two subjects"
    assert ast.get_docstring(ast.parse(text)), "it does not say what it is for"


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: path.name)
def test_a_test_has_one_subject_too(path):
    assert path.read_text(encoding="utf-8").count("\n") <= 400


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_no_star_imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names)


def test_packages_export_nothing():
    """Save `scratch`, whose names mirror torch's, and the version."""
    for path in SOURCE.rglob("__init__.py"):
        if room(path) in ("scratch", "__init__"):
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, f"{path.relative_to(SOURCE)} holds more than its docstring"


NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
NO_CODE |= {tokenize.ENCODING, tokenize.ENDMARKER}


def lines_of_code(path: Path) -> int:
    """Lines that hold code: not blank, nor a comment or docstring alone."""
    with tokenize.open(path) as file:
        tokens = list(tokenize.generate_tokens(file.readline))
    lines = {n for t in tokens if t.type not in NO_CODE for n in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def test_scratch_can_be_read_in_a_few_evenings():
    assert sum(map(lines_of_code, (SOURCE / "scratch").rglob("*.py"))) <= 5_000


def test_no_two_files_of_tests_have_one_name():
    """pytest would import the second as the first."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(set(names)) == sorted(names)

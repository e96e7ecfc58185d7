"""Promises of docs/architecture.md: imports run one way through the rooms; nothing heavy loads before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import crossent

SOURCE = Path(crossent.__file__).parent
DOCS = SOURCE.parents[1] / "docs"
ROOMS = [line.split("`")[1] for line in (DOCS / "architecture.md").read_text().splitlines() if line.startswith("| `")]


def modules():
    return sorted(SOURCE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    """The rooms that a file imports from, also inside its functions, and not only for type checkers."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and getattr(test.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "crossent":
            if node.module == "crossent":
                found |= {crossent._HOME.get(alias.name, alias.name).split(".")[0] for alias in node.names}
            else:
                found.add(room_of(node.module))
        elif isinstance(node, ast.Import):
            found |= {room_of(alias.name) for alias in node.names if alias.name.startswith("crossent.")}
    return found


def own_room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_file_is_in_a_room_of_the_architecture():
    assert {own_room(path) for path in modules()} - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_one_way(path):
    room = own_room(path)
    above = ROOMS[ROOMS.index(room) + 1 :] if room in ROOMS else []
    assert not imports(path) & set(above), f"{room} imports from rooms above it; see docs/architecture.md"


def loaded_by(code: str) -> set[str]:
    script = f"import sys; {code}; print(' '.join(sys.modules))"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


def test_importing_the_package_loads_nothing_heavy():
    heavy = {"sklearn", "numba", "scipy", "numpy", "pyarrow", "sympy", "matplotlib", "typer", "rich"}
    assert not loaded_by("import crossent") & heavy


def test_help_loads_nothing_heavy():
    heavy = {"sklearn", "numba", "scipy", "numpy", "pyarrow", "sympy", "matplotlib", "pandas"}
    code = (
        "from crossent.cli.app import app; from contextlib import suppress\nwith suppress(SystemExit): app(['--help'])"
    )
    assert not loaded_by(f"exec({code!r})") & heavy


def test_help_is_quick():
    """Under 0.3 s of a core, or on a slow machine what fifteen empty interpreters take: other work does not count."""
    resource = pytest.importorskip("resource", reason="counting another process's time needs Unix")

    def seconds(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    empty = min(seconds("-c", "pass") for _ in range(5))
    code = "import sys; sys.argv = ['crossent', '--help']; import crossent.cli as c; c.main()"
    ours = min(seconds("-c", code) for _ in range(5))
    assert ours < max(0.3, 15 * empty)


def test_every_public_name_is_there():
    for name in crossent.__all__:
        assert getattr(crossent, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        crossent.nothing  # noqa: B018


def test_numba_waits_until_there_is_something_to_compute():
    modules = "crossent.training, crossent.estimators, crossent.cv, crossent.text.vectorizers, crossent.text.tfidf"
    assert "numba" not in loaded_by(f"import {modules}")
    assert "numba" in loaded_by("import crossent; crossent.sigmoid(0.0)")

"""Imports only go down, and torch stays where it is made when needed.

The modules' imports are read from their source, so that also an import inside a function counts.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "evensight"
FLOORS = (
    (
        "errors",
        "caches",
        "annotations",
        "statistics",
        "runs",
        "progress",
        "settings",
        "randomness",
        "memory",
        "png",
        "yaml_files",
    ),
    ("coco", "pictures"),
    ("scenes", "photos", "downloads", "questions"),
    ("datasets",),
    ("storage",),
    ("exchange",),
    ("audits",),
    ("models",),
    ("training", "evaluation", "probing"),
    ("reports",),
    ("studies",),
    ("cli",),
    ("__main__",),
)
"""From the bottom to the top. Only the rooms of the lowest floor may import one another."""
FORBIDDEN = {("reports", "models"), ("reports", "training")}
HEAVY = {"torch", "transformers", "peft"}
HEAVY_ROOMS = {"models", "training", "probing"}
LAZY = {"evensight.models.loading", "evensight.models.families", "evensight.models.embedded"}
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


@dataclass(frozen=True)
class Import:
    """That module `source` imports `target` in some line, when it is itself imported (`at_once`) or later."""

    source: str
    target: str
    line: int
    at_once: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def modules(root: Path) -> dict[str, Path]:
    """All modules of the package at `root`, by their dotted names."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path) -> list[Import]:
    """All imports in the package at `root`, but for those that only a type checker follows."""
    known = modules(root)
    return [found for name, path in known.items() for found in _imports_of(name, path, known)]


def _imports_of(name: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node, at_once in _walk(ast.parse(path.read_text(encoding="utf-8")), at_once=True):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            targets = [target if target in known else base for target in inner]
        else:
            continue
        yield from (Import(name, target, node.lineno, at_once) for target in dict.fromkeys(targets))


def _walk(node: ast.AST, *, at_once: bool) -> Iterator[tuple[ast.AST, bool]]:
    """The nodes below, and whether each runs when the module is imported; type checkers' blocks left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other, at_once
                yield from _walk(other, at_once=at_once)
            continue
        deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, at_once
        yield from _walk(child, at_once=at_once and not deferred)


def room(module: str) -> str:
    """The file or folder of the package that a module is in; the package itself is the root."""
    return module.split(".")[1] if "." in module else ""


def inside(root: Path) -> list[Import]:
    """The imports of the package's modules from one another, but for the package's root (its version)."""
    return [
        found
        for found in imports(root)
        if found.target.split(".")[0] == root.name and room(found.target) and room(found.source)
    ]


def climbing(root: Path) -> list[str]:
    """The imports that go up, sideways, or where they are forbidden to."""
    found = []
    for each in inside(root):
        here, there = room(each.source), room(each.target)
        floor, target_floor = FLOOR_OF.get(here, -1), FLOOR_OF.get(there, len(FLOORS))
        down = target_floor < floor or target_floor == floor == 0 or here == there
        if not down or (here, there) in FORBIDDEN:
            found.append(str(each))
    return found


def heavy(root: Path) -> list[Import]:
    return [found for found in imports(root) if found.target.split(".")[0] in HEAVY]


def loaded_with(root: Path, start: str) -> set[str]:
    """All modules of the package that are imported when those of the room `start` are."""
    at_once = [found for found in imports(root) if found.at_once]
    known = modules(root)
    reached = {name for name in known if room(name) == start}
    while True:
        more = {found.target for found in at_once if found.source in reached and found.target in known}
        more |= {".".join(name.split(".")[:k]) for name in more for k in range(1, name.count(".") + 1)}
        if more <= reached:
            return reached
        reached |= more


def heavy_at_once(root: Path) -> list[str]:
    """The imports of torch and the like that `evensight --help` would wait for, or that are to be lazy."""
    quick = loaded_with(root, "cli") | LAZY
    return [str(found) for found in heavy(root) if found.at_once and found.source in quick]


def test_every_module_lives_on_a_floor() -> None:
    assert {room(name) for name in modules(SOURCE)} - {""} <= set(FLOOR_OF)


def test_imports_only_go_down() -> None:
    assert climbing(SOURCE) == []


def test_nothing_imports_the_command_line() -> None:
    found = [str(i) for i in inside(SOURCE) if room(i.target) == "cli" and room(i.source) not in ("cli", "__main__")]
    assert found == []


def test_the_package_itself_imports_none_of_its_modules() -> None:
    assert [str(i) for i in imports(SOURCE) if i.source == "evensight" and room(i.target)] == []


def test_torch_is_imported_by_models_training_and_probing_alone() -> None:
    assert [str(found) for found in heavy(SOURCE) if room(found.source) not in HEAVY_ROOMS] == []


def test_torch_is_imported_only_when_needed() -> None:
    assert heavy_at_once(SOURCE) == []


def test_the_modules_that_are_to_be_lazy_are_there() -> None:
    assert set(modules(SOURCE)) >= LAZY


@pytest.mark.parametrize(
    ("path", "line", "n"),
    [
        ("runs.py", "import evensight.scenes.designs", 1),
        ("scenes/render.py", "from evensight.questions import tasks", 1),
        ("scenes/render.py", "from ..questions.tasks import ask", 1),
        ("scenes/render.py", "from . import designs", 0),
        ("scenes/render.py", "from evensight import runs, __version__", 0),
        ("scenes/render.py", "def f():\n    from evensight.datasets import stored", 1),
        ("training/trainer.py", "from evensight.evaluation import ask", 1),
        ("reports/page.py", "import evensight.models.loading", 1),
        ("reports/page.py", "from evensight.evaluation import results", 0),
        ("studies/run.py", "from evensight import cli", 1),
        ("cli/main.py", "from evensight.studies import run", 0),
        ("attic/old.py", "import evensight.runs", 1),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_found(tmp_path: Path, path: str, line: str, n: int) -> None:
    root = _house(tmp_path, {path: line})
    assert len(climbing(root)) == n


@pytest.mark.parametrize(
    ("cli", "loading", "n"),
    [
        ("from evensight.evaluation.ask import f", "", 1),
        ("def f():\n    from evensight.evaluation.ask import f", "", 0),
        ("", "from torch import nn", 1),
        ("", "if TYPE_CHECKING:\n    import torch", 0),
        ("", "class A:\n    import torch.nn", 1),
        ("", "def f():\n    import peft", 0),
    ],
)
def test_an_import_of_torch_that_nobody_asked_for_is_found(tmp_path: Path, cli: str, loading: str, n: int) -> None:
    files = {
        "cli/main.py": cli,
        "evaluation/ask.py": "import evensight.models.predict",
        "models/predict.py": "import torch",
        "models/loading.py": loading,
    }
    assert len(heavy_at_once(_house(tmp_path, files))) == n


def _house(tmp_path: Path, files: dict[str, str]) -> Path:
    root = tmp_path / "evensight"
    rooms = [name for floor in FLOORS[1:-1] for name in floor]
    empty = [*(f"{name}/__init__.py" for name in rooms), *(f"{name}.py" for name in FLOORS[0])]
    inner = ["questions/tasks.py", "scenes/designs.py", "datasets/stored.py", "models/loading.py"]
    for path, text in (dict.fromkeys(["__init__.py", *empty, *inner], "") | files).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root

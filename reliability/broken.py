"""Each mechanism broken on purpose: a test must fail.

    python reliability/broken.py --out runs/broken        (or: make broken)

The package and its tests are copied, and the tests must pass. Then one line of a mechanism is taken away or turned
around, and the tests that stand behind it are run: where they pass, the mechanism could be lost and nobody would see.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evensight.errors import InputError
from evensight.progress import progress
from evensight.runs import write_json

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Break:
    """A mechanism, how it is broken, and what must notice.

    Attributes:
        name: What it does.
        file: Where it is, below `src/evensight`.
        old: The line, or a part of it, that is there once.
        new: What takes its place.
        tests: The files of tests that must fail, below `tests`.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


BREAKS = (
    Break(
        "a file gets its name when it is whole",
        "runs.py",
        "            yield temporary\n"
        "            flush(temporary)\n"
        "            if receipt:\n"
        "                _write_receipt(temporary, path)\n"
        "            temporary.replace(path)",
        "            yield path\n            if receipt:\n                _write_receipt(path, path)",
        ("test_runs.py",),
    ),
    Break(
        "a file is on the disk before it has its name",
        "runs.py",
        "            flush(temporary)\n"
        "            if receipt:\n"
        "                _write_receipt(temporary, path)\n"
        "            temporary.replace(path)",
        "            if receipt:\n"
        "                _write_receipt(temporary, path)\n"
        "            temporary.replace(path)",
        ("test_runs.py",),
    ),
    Break(
        "a folder's files are on the disk before it has its name",
        "runs.py",
        '            for file in sorted(temporary.rglob("*")):\n                flush(file)\n',
        "",
        ("test_runs.py",),
    ),
    Break(
        "a file's hash is compared with the manifest's",
        "runs.py",
        "            if hash_file(path) != expected:",
        "            if False:",
        ("test_runs.py", "storage/test_stored.py"),
    ),
    Break(
        "a manifest's hash of itself is compared",
        "runs.py",
        "        if not _is_as_sealed(value):",
        "        if False:",
        ("test_runs.py",),
    ),
    Break(
        "a manifest lists no files elsewhere",
        "runs.py",
        '            if Path(name).is_absolute() or ".." in Path(name).parts:',
        "            if False:",
        ("evaluation/test_table_checks.py", "test_runs.py"),
    ),
    Break(
        "two processes don't write one run folder",
        "runs.py",
        "                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "                pass",
        ("test_runs.py",),
    ),
    Break(
        "what is done is done only with its files unchanged",
        "runs.py",
        "            self.check_files(manifest)\n        except InputError:",
        "        except InputError:",
        ("test_runs.py",),
    ),
    Break(
        "what was left half written is swept",
        "runs.py",
        "            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)",
        "            pass",
        ("test_runs.py",),
    ),
    Break(
        "receipts are compared",
        "runs.py",
        " and receipt.read_bytes() == _hash_of(path).encode()",
        "",
        ("test_runs.py", "storage/test_shards.py"),
    ),
    Break(
        "a receipt is there before the name",
        "runs.py",
        "            if receipt:\n"
        "                _write_receipt(temporary, path)\n"
        "            temporary.replace(path)\n",
        "            temporary.replace(path)\n            if receipt:\n                _write_receipt(path, path)\n",
        ("test_runs.py",),
    ),
    Break(
        "a shard is checked before its set is sealed",
        "storage/shards.py",
        "            self._check_shards()\n",
        "",
        ("storage/test_shards.py",),
    ),
    Break(
        "locks that a kill left behind the manifest go",
        "storage/shards.py",
        "            self._drop_locks()  # of who was killed behind the manifest\n",
        "",
        ("storage/test_shards.py",),
    ),
    Break(
        "texts of a table are texts",
        "evaluation/table_checks.py",
        "        table.validate(full=True)",
        "        pass",
        ("evaluation/test_table_checks.py",),
    ),
    Break(
        "an option has tokens",
        "evaluation/table_checks.py",
        "    if not pc.all(pc.greater(tokens, 0), min_count=0).as_py():",
        "    if False:",
        ("evaluation/test_table_checks.py",),
    ),
    Break(
        "a full disk under a study's part is one line",
        "studies/run.py",
        "        except OSError as error:",
        "        except ZeroDivisionError as error:",
        ("studies/test_run.py",),
    ),
    Break(
        "a lack of memory is one line",
        "cli/__init__.py",
        "        if not is_lack_of_memory(error):",
        "        if True:",
        ("cli/test_cli.py",),
    ),
    Break(
        "a batch keeps its padding while another thread tokenizes",
        "models/prompts.py",
        "        with _tokenizing.lock:\n            return list(",
        "        if True:\n            return list(",
        ("models/test_prompts.py",),
    ),
    Break(
        "a journal's line is checked",
        "evaluation/journal.py",
        '        return _DECODER.decode(content) if checked_line(content) == line + b"\\n" else []',
        "        return _DECODER.decode(content)",
        ("evaluation/test_journal.py",),
    ),
    Break(
        "a torn line of a journal is cut off",
        "evaluation/journal.py",
        '        self._file.truncate(content.rfind(b"\\n") + 1)\n',
        "",
        ("evaluation/test_journal.py",),
    ),
    Break(
        "a checkpoint's files are compared with its seal",
        "training/checkpoints.py",
        '        if seal.get("files") != found:',
        "        if False:",
        ("training/test_resume.py",),
    ),
    Break(
        "a checkpoint of another run isn't gone on from",
        "training/checkpoints.py",
        '        if (seal.get("fingerprint"), seal.get("step")) != (self.fingerprint, step):',
        "        if False:",
        ("training/test_resume.py",),
    ),
    Break(
        "the embedded model is compared with its manifest",
        "models/identity.py",
        "                _check_made(run, kind, folder, _stats(folder))",
        "                pass",
        ("models/test_identity.py",),
    ),
    Break(
        "annotations from the cache are compared with their hash",
        "coco/listing_cache.py",
        "    if hash_file(path) != hashes[name]:",
        "    if False:",
        ("coco/test_listing_cache.py",),
    ),
    Break(
        "a loader is not waited for without end",
        "training/loading_processes.py",
        "        loads.timeout = patience_s()",
        "        pass",
        ("training/test_loading_processes.py",),
    ),
    Break(
        "a report's text is escaped",
        "reports/html.py",
        "        autoescape=True,",
        "        autoescape=False,",
        ("test_reports.py",),
    ),
    Break(
        "a report's data can't end its element",
        "reports/templates/report.html.j2",
        "{{ section.browsed|tojson }}",
        "{{ section.browsed|tojson|string|replace('\\\\u003c', '<')|safe }}",
        ("test_reports.py",),
    ),
    Break(
        "a report's policy allows nothing else",
        "reports/html.py",
        "default-src 'none'",
        "default-src *",
        ("test_reports.py",),
    ),
    Break(
        "foreign text can't act in a report",
        "reports/wording.py",
        '        flat = " ".join("".join(" " if c.isspace() else _harmless(c) for c in cut).split())'.strip(),
        'flat = " ".join("".join(" " if c.isspace() else c for c in cut).split())',
        ("test_reports.py",),
    ),
    Break(
        "foreign text can't act on a terminal",
        "errors.py",
        '    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)',
        "    return text",
        ("cli/test_cli.py", "coco/test_image_files.py"),
    ),
    Break(
        "links out of a photographs' folder aren't followed",
        "coco/image_files.py",
        "            if not path.resolve().is_relative_to(self._root):",
        "            if False:",
        ("coco/test_image_files.py",),
    ),
    Break(
        "a picture's size is looked at before its pixels",
        "pictures/decoding.py",
        "    if image.width * image.height > MAX_PIXELS:",
        "    if False:",
        ("pictures/test_decoding.py",),
    ),
    Break(
        "only photographs' formats are decoded",
        "pictures/decoding.py",
        "Image.open(BytesIO(content), formats=FORMATS)",
        "Image.open(BytesIO(content))",
        ("pictures/test_decoding.py",),
    ),
    Break(
        "a zip's names are looked at before it is unpacked",
        "downloads/unpacking.py",
        '    if ".." in PurePosixPath(name).parts:',
        "    if False:",
        ("downloads/test_fetch.py",),
    ),
    Break(
        "pickled weights are refused",
        "models/identity.py",
        '    if not any(folder.glob("*.safetensors")):',
        "    if False:",
        ("models/test_loading.py", "models/test_refusals.py"),
    ),
    Break(
        "an adapter names no code to run",
        "models/loading.py",
        '    if config.get("megatron_config") is not None:',
        "    if False:",
        ("models/test_refusals.py",),
    ),
    Break(
        "a server's redirect isn't followed",
        "models/servers/connection.py",
        "            follow_redirects=False,",
        "            follow_redirects=True,",
        ("models/servers/test_answerer.py",),
    ),
    Break(
        "a server's answer is read to a bound",
        "models/servers/connection.py",
        "        if len(body) > MOST_BYTES:",
        "        if False:",
        ("models/servers/test_answerer.py",),
    ),
    Break(
        "the key is blotted out of what a server says",
        "models/servers/settings.py",
        '        return "[key]".join([*kept, text[end:]])',
        "        return text",
        ("models/servers/test_answerer.py",),
    ),
    Break(
        "a very long answer is not read",
        "questions/answer_text.py",
        "    if text is None or len(text) > MAX_CHARS:",
        "    if text is None:",
        ("questions/test_composed_answers.py",),
    ),
)


def noticed(one: Break, root: Path) -> str | None:
    """How the tests ended that must notice a break, or None where they passed.

    Raises:
        InputError: The line isn't there once.
    """
    path = root / "src" / "evensight" / one.file
    whole = path.read_text()
    if whole.count(one.old) != 1:
        raise InputError(f"`{one.file}` has `{one.old.strip()[:60]}` {whole.count(one.old)} times: expected once")
    path.write_text(whole.replace(one.old, one.new))
    try:
        return failing(one.tests, root)
    finally:
        path.write_text(whole)


def failing(tests: Iterable[str], root: Path) -> str | None:
    """The first test that fails in a copy; None where all pass."""
    for cached in root.rglob("__pycache__"):
        shutil.rmtree(cached, ignore_errors=True)
    files = [str(root / "tests" / name) for name in tests]
    line = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--disable-warnings", *files]
    env = {**os.environ, "PYTHONPATH": str(root / "src"), "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(line, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=1800)
    except subprocess.TimeoutExpired:
        return "they didn't end"
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return None if done.returncode == 0 else (failed or ["the tests could not be run"])[0][:200]


def main() -> None:
    """Breaks each mechanism, prints which test failed, and ends with 1 where none did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="mechanisms whose names have these words")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the copy and broken.json")
    given = parser.parse_args()
    copy = given.out.absolute() / "copy"
    shutil.rmtree(given.out, ignore_errors=True)
    nothing = shutil.ignore_patterns("__pycache__")
    for name in ("src", "tests", "docs", "benchmarks", "scripts"):
        shutil.copytree(ROOT / name, copy / name, ignore=nothing)
    for name in ("pyproject.toml", "README.md", "mkdocs.yml", "Makefile"):
        shutil.copy(ROOT / name, copy / name)
    chosen = [one for one in BREAKS if not given.only or any(word in one.name for word in given.only)]
    rows = []
    unbroken = failing(sorted({name for one in chosen for name in one.tests}), copy)
    if unbroken is not None:
        sys.exit(f"unbroken, a test fails: {unbroken}")
    with progress("breaking", len(chosen), "mechanisms") as advance:
        for one in chosen:
            rows.append({"mechanism": one.name, "file": one.file, "noticed": noticed(one, copy)})
            print(rows[-1], flush=True)
            advance()
            write_json(given.out / "broken.json", rows)
    sys.exit(any(row["noticed"] is None for row in rows))


if __name__ == "__main__":
    main()

"""Whether the tests would notice: small faults are put into the code that must not be wrong, one at a time.

`make mutants` takes a seeded sample of changes (scripts/mutations.py) over the files that tests/mutants/mutants.toml
names, and the fixed ones there, and runs against each the tests that execute its lines, quickest first. No file is
changed: a process of its own imports the one module from changed text. A mutant that no test notices has survived; it
is either in tests/mutants/equivalent.toml with the reason why nobody loses anything by it, or a test is missing.

Which test executes which line is found out first, and kept in build/mutants for as long as sources and tests stay the
same. A run that was ended goes on where it stood.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import importlib
import json
import math
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mutation_runs import Child, Verdict, Watcher, change, fork, pytest_in, run_all
from mutations import Mutant, is_sound, mutants, placed

CAUGHT_SHARE = 0.95
"""Of the mutants that are not equivalent, the share that has to be caught."""
HANG_SECONDS, HANG_TIMES = 10.0, 8.0
"""A test hangs after so long, and so many times what it took without a mutant: two run at once on a busy machine."""
PATIENT_TIMES = 4
"""What was late is tried once more, with so many times the patience: a machine that is busy catches no mutant."""
MAP_SECONDS = 900.0
"""How long a test file may take while it is watched line by line."""
BATCHES = (12, 60)
"""So many tests are imported and run first, then so many; then the rest."""
CAUGHT, TIMEOUT, SURVIVED = "caught", "timeout", "survived"


@dataclass
class Project:
    """What is mutated and what it is mutated against, as tests/mutants/mutants.toml of a root says."""

    root: Path
    files: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    preload: list[str] = field(default_factory=list)
    fixed: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, root: Path) -> Project:
        """Patterns become files."""
        said = tomllib.loads((root / "tests/mutants/mutants.toml").read_text())
        files, tests = (_found(root, said[name]) for name in ("files", "tests"))
        return cls(root, files, tests, said.get("preload", []), said.get("fixed", []))

    @property
    def kept(self) -> Path:
        """Where results and the map are kept."""
        return self.root / "build/mutants"

    def source(self, file: str) -> str:
        """The text of a file."""
        return (self.root / file).read_text()

    def digest(self) -> str:
        """Of everything that a result rests on."""
        paths = [each for top in ("src", "tests") for each in sorted((self.root / top).rglob("*.py"))]
        return hashlib.sha256(b"".join(str(each).encode() + each.read_bytes() for each in paths)).hexdigest()


def _found(root: Path, patterns: Iterable[str]) -> list[str]:
    found = []
    for pattern in patterns:
        paths = sorted(str(each.relative_to(root)) for each in root.glob(pattern))
        if not paths:
            raise SystemExit(f"tests/mutants/mutants.toml: nothing matches {pattern}")
        found += [each for each in paths if each not in found and not each.endswith("__init__.py")]
    return found


# -- which mutants ---------------------------------------------------------------------------------------------


def chosen(project: Project, seed: int, count: int, only: str = "") -> list[Mutant]:
    """The fixed ones, and a sample of the others: of each file by the root of how much there is to change in it.

    The order within a file comes from the seed and a mutant's content, so that an edit elsewhere leaves it as it is.
    """
    wanted = [each for each in project.files if only in each]
    fixed = [_fixed(project, each) for each in project.fixed if only in each["file"]]
    pools = {file: _ordered(mutants(file, project.source(file)), seed) for file in wanted}
    shares = {file: math.sqrt(len(pool)) for file, pool in pools.items()}
    left, found = max(0, count - len(fixed)), list(fixed)
    taken: collections.Counter[str] = collections.Counter()
    streams = {file: _sound(pool, project.source(file), {each.key for each in fixed}) for file, pool in pools.items()}
    while left and streams:
        file = min(streams, key=lambda each: ((taken[each] + 1) / shares[each], each))
        one = next(streams[file], None)
        if one is None:
            del streams[file]
            continue
        found.append(one)
        taken[file] += 1
        left -= 1
    return found


def _fixed(project: Project, said: dict[str, str]) -> Mutant:
    try:
        return placed(said["file"], project.source(said["file"]), said["original"], said["replacement"], said["name"])
    except (ValueError, OSError) as problem:
        raise SystemExit(f"tests/mutants/mutants.toml, {said['name']}: {problem}") from problem


def _ordered(pool: list[Mutant], seed: int) -> list[Mutant]:
    return sorted(pool, key=lambda each: hashlib.sha256(f"{seed}{each.key}{each.operator}".encode()).digest())


def _sound(pool: list[Mutant], source: str, besides: set[tuple[str, ...]]) -> Iterator[Mutant]:
    """One for each place in the text: two changes of one condition tell less than changes of two."""
    places = set[tuple[int, int]]()
    for each in pool:
        if each.key not in besides and (each.start, each.end) not in places and is_sound(each, source):
            places.add((each.start, each.end))
            yield each


# -- which test executes which line ----------------------------------------------------------------------------


@dataclass
class Tests:
    """Each test with its seconds and the lines it executes."""

    found: dict[str, dict[str, Any]]
    failed: list[str] = field(default_factory=list)
    """What fails without any mutant: it can catch none, and is left out."""

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that execute what was changed, quickest first; what no function holds is executed by whoever
        imports the file first, and concerns whoever uses it."""
        lines = range(mutant.line, mutant.last + 1)
        mine = {node: said["lines"].get(mutant.file, ()) for node, said in self.found.items()}
        found = [node for node, seen in mine.items() if any(line in seen for line in lines)]
        if not mutant.function.rpartition(".")[2].islower():
            found = [node for node, seen in mine.items() if seen]
        return sorted(found, key=lambda node: (self.found[node]["seconds"], node))

    def limit(self, test: str) -> float:
        """After how many seconds it hangs; before the first test stands the import of it."""
        return HANG_SECONDS + HANG_TIMES * float(self.found.get(test, {"seconds": 1.0})["seconds"])


def watched(project: Project, at_once: int) -> Tests:
    """Run every test once without a mutant, its lines watched."""
    kept, digest = project.kept / "map.json", project.digest()
    said = json.loads(kept.read_text()) if kept.exists() else {}
    if said.get("digest") != digest:
        print(f"watching which lines {len(project.tests)} test files execute", flush=True)
        found = dict[str, dict[str, Any]]()
        parts = [project.kept / f"map-{digest[:12]}-{number}.json" for number in range(len(project.tests))]
        failed = list[str]()

        def keep(number: int) -> None:
            part = json.loads(parts[number].read_text()) if parts[number].exists() else {"failed": ["gave no answer"]}
            failed.extend(f"{project.tests[number]}: {each}" for each in part["failed"])
            found.update({node: each for node, each in part.get("found", {}).items() if node not in part["failed"]})

        left = [number for number, part in enumerate(parts) if not part.exists()]
        starts = (_watching(project, project.tests[number], parts[number]) for number in left)
        run_all(iter(starts), lambda number, child, late: None, at_once)
        for number in range(len(parts)):
            keep(number)
        said = {"digest": digest, "found": found, "failed": failed}
        for part in parts:
            part.unlink(missing_ok=True)
        kept.write_text(json.dumps(said))
    return Tests(said["found"], said["failed"])


def _watching(project: Project, test: str, part: Path) -> Callable[[], Child]:
    def work(say: Callable[[str], None]) -> None:
        watcher = Watcher(project.root, project.files)
        with watcher.on():
            code = pytest_in(project.root, [test], watcher)
        failed = watcher.failed or ([] if code in (0, 5) else [f"pytest ended with {code}"])
        part.write_text(json.dumps({"found": watcher.found, "failed": failed}))

    return lambda: fork(work, lambda _: MAP_SECONDS, project.kept / f"{part.stem}.log")


# -- mutants against tests -------------------------------------------------------------------------------------


def judged(
    project: Project, tests: Tests, wanted: list[Mutant], at_once: int, patience: int = 1
) -> list[dict[str, Any]]:
    """What became of each; what an ended run had found already is not tried again."""
    kept, digest = project.kept / "results.jsonl", project.digest()
    lines = kept.read_text().splitlines() if kept.exists() else []
    known = {tuple(each["key"]): each for each in map(json.loads, lines) if each["digest"] == digest}
    with kept.open("a") as file:

        def done(mutant: Mutant, child: Child, late: bool) -> None:
            by = (child.said("failed") or [""])[0]
            outcome = TIMEOUT if late else SURVIVED if "survived" in child.text.split("\n") else CAUGHT
            key = (*mutant.key, str(mutant.start))
            known[key] = {"key": key, "digest": digest, "outcome": outcome, "by": by or child.test}
            file.write(json.dumps(known[key]) + "\n")
            file.flush()
            _tell(outcome, mutant, len(known), len(wanted))

        def pass_over(left: list[Mutant], times: int) -> None:
            starts = (_trying(project, tests, each, times) for each in left)
            run_all(starts, lambda number, child, late: done(left[number], child, late), at_once)

        pass_over([each for each in wanted if (*each.key, str(each.start)) not in known], patience)
        was_late = [each for each in wanted if known[(*each.key, str(each.start))]["outcome"] == TIMEOUT]
        pass_over(was_late, patience * PATIENT_TIMES)
    return [known[(*each.key, str(each.start))] for each in wanted]


def _trying(project: Project, tests: Tests, mutant: Mutant, patience: int) -> Callable[[], Child]:
    text, nodes = mutant.of(project.source(mutant.file)), tests.of(mutant)

    def work(say: Callable[[str], None]) -> None:
        change(project.root, mutant.file, text)
        for batch in _batches(nodes):
            say("test of none yet: files are imported")
            if pytest_in(project.root, batch, Verdict(say), "-x"):
                return
        say("survived")

    def limit(test: str) -> float:
        return patience * tests.limit(test)

    return lambda: fork(work, limit, project.kept / f"tried-{mutant.line}-{Path(mutant.file).stem}.log")


def _batches(nodes: list[str]) -> Iterator[list[str]]:
    start = 0
    for size in (*BATCHES, len(nodes)):
        if nodes[start : start + size]:
            yield nodes[start : start + size]
        start += size


def _tell(outcome: str, mutant: Mutant, number: int, of: int) -> None:
    change_ = f"{mutant.original!r} -> {mutant.replacement!r}"
    told = f"  {mutant.file}:{mutant.line} {mutant.function}: {change_}" if outcome == SURVIVED else ""
    print(f"{number} of {of} {outcome}{told}", flush=True)


# -- what it comes to ------------------------------------------------------------------------------------------


def reasons(project: Project) -> dict[tuple[str, ...], str]:
    """Why nobody loses anything by a mutant, by its content."""
    path = project.root / "tests/mutants/equivalent.toml"
    listed = tomllib.loads(path.read_text()).get("mutant", []) if path.exists() else []
    names = ("file", "function", "statement", "original", "replacement")
    return {tuple(each[name] for name in names): each["reason"] for each in listed}


def summed(project: Project, wanted: list[Mutant], results: list[dict[str, Any]]) -> dict[str, Any]:
    """Tried, caught, survivors with their reasons; `share` is of those that are not equivalent."""
    why, survivors = reasons(project), []
    counts = {each.file: collections.Counter[str]() for each in wanted}
    for mutant, result in zip(wanted, results, strict=True):
        counts[mutant.file][result["outcome"]] += 1
        if result["outcome"] == SURVIVED:
            told = asdict(mutant) | {"change": f"{mutant.original} -> {mutant.replacement}"}
            survivors.append(told | {"reason": why.get(mutant.key, "")})
    total = sum(counts.values(), collections.Counter())
    tried, caught, equivalent = (
        len(wanted),
        total[CAUGHT] + total[TIMEOUT],
        sum(1 for each in survivors if each["reason"]),
    )
    return {
        "tried": tried,
        "caught": caught,
        "timeouts": total[TIMEOUT],
        "equivalent": equivalent,
        "share": round(caught / max(1, tried - equivalent), 4),
        "share_of_all": round(caught / max(1, tried), 4),
        "files": {file: dict(each) for file, each in sorted(counts.items())},
        "survivors": survivors,
    }


def show(said: dict[str, Any]) -> None:
    """A table by file, and each survivor."""
    print(f"\n{'tried':>6}{'caught':>8}{'timeout':>9}{'survived':>10}  file")
    for file, each in said["files"].items():
        caught, late, alive = (each.get(name, 0) for name in (CAUGHT, TIMEOUT, SURVIVED))
        print(f"{caught + late + alive:>6}{caught:>8}{late:>9}{alive:>10}  {file}")
    for each in said["survivors"]:
        print(f"\nsurvived: {each['file']}:{each['line']} {each['function']}, {each['operator']}")
        print(f"  {each['original']}\n  -> {each['replacement']}\n  {each['reason'] or 'NO REASON: a test is missing'}")
    print(f"\n{said['caught']} of {said['tried']} caught ({said['share_of_all']:.1%}),")
    print(f"{said['timeouts']} of them by a test that no longer ended;")
    print(f"{said['equivalent']} survivors lose nobody anything, without them {said['share']:.1%};")
    print(f"in {said['seconds']:.0f} s; seed {said['seed']}")


def main() -> int:
    """0 where enough are caught and each survivor has a reason."""
    parser = argparse.ArgumentParser(description="Put small faults into the safety code and see whether tests notice.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--only", default="", help="part of a path: only mutants of these files")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--patience", type=int, default=1, help="so many times as patient: others use the machine, too")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    asked = parser.parse_args()
    began, project = time.monotonic(), Project.read(asked.root.resolve())
    project.kept.mkdir(parents=True, exist_ok=True)
    _prepare(project)
    wanted = chosen(project, asked.seed, asked.mutants, asked.only)
    print(f"{len(wanted)} mutants of {len({each.file for each in wanted})} files, seed {asked.seed}", flush=True)
    tests = watched(project, asked.at_once)
    results = judged(project, tests, wanted, asked.at_once, asked.patience)
    said = summed(project, wanted, results) | {"seed": asked.seed, "seconds": round(time.monotonic() - began, 1)}
    said["failing"] = tests.failed
    (project.root / "build/mutants.json").write_text(json.dumps(said, indent=2) + "\n")
    (project.kept / "results.jsonl").unlink()
    show(said)
    for each in tests.failed:
        print(f"FAILS WITHOUT ANY MUTANT, and was left out: {each}")
    unexplained = bool(tests.failed) or any(not each["reason"] for each in said["survivors"])
    return 1 if said["share"] < CAUGHT_SHARE or unexplained else 0


def _prepare(project: Project) -> None:
    """What the tests stand on is imported once; the project itself in each process anew."""
    os.chdir(project.root)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(project.root / "src"), str(project.root / "tests")])
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(project.kept / "hypothesis")
    sys.path[:0] = [str(project.root / "src"), str(project.root / "tests")]
    for each in project.preload:
        importlib.import_module(each)


if __name__ == "__main__":
    sys.exit(main())

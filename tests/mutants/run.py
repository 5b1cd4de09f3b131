#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""run.py [--only NAME,...] [--seeds N] [--jobs N] [--list] - show that the simulation and the scripts can fail

A mutant is one small fault put into the code on purpose. For each one here the core, the relay and what lies below them are built with
the fault, and the same simulation and scripts are run that pass without it: at least one must fail, and those that the mutant names.

The mutants are in *.mutants beside this file:

    [name]
    A sentence that says what is wrong then.
    killed by: sim, script          who must notice; others may
    src/core/file.c:
    - old text, any number of lines
    + new text, any number of lines, or none

Old text is compared token by token, so that formatting does not matter, and must be found exactly once; otherwise the code has moved on
and the mutant must be renewed, which is a failure too. One mutant may have several pieces, in several files.

The source tree is only read; all is built in a temporary directory. The compiler is $CC or gcc; tests are built once, from what is
right, and of the rest only what a mutant touches is built again. Exit 0: every mutant was killed; 1: one survived, or could not be
tried, or the tests fail without any.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

CODE = ["src/base/*.c", "src/wire/*.c", "src/core/*.c", "src/intercept/relay*.c"]
PROGRAMS = {"sim": "tests/sim/*.c", "script": "tests/script/*.c"}
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-w"]  # the mutants may leave something unused
SEEDS = 8000
# A mutant may make the core run in circles: what takes so many times longer than without it has failed.
PATIENCE = 10
PATIENCE_MIN_S = 30


class Bad(Exception):
    """What makes a mutant, or all of this, impossible to try."""


# ---- mutants, as they are written ----

class Mutant:
    def __init__(self, name, where):
        self.name, self.where = name, where
        self.sentence = ""
        self.killers = []
        self.pieces = []  # [file, old lines, new lines]


def parse(path):
    """Yield the mutants of one file."""
    mutant, file = None, None
    with open(path, encoding="ascii") as f:
        lines = f.read().splitlines()
    for number, line in enumerate(lines, 1):
        where = f"{os.path.relpath(path, ROOT)}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        if re.fullmatch(r"\[[a-z0-9-]+\]", line):
            if mutant:
                yield mutant
            mutant, file = Mutant(line[1:-1], where), None
        elif mutant is None:
            raise Bad(f"{where}: a mutant begins with [name]")
        elif line.startswith("killed by: "):
            mutant.killers = line[len("killed by: "):].split(", ")
            if not set(mutant.killers) <= set(PROGRAMS):
                raise Bad(f"{where}: killed by one of {', '.join(PROGRAMS)}")
        elif re.fullmatch(r"src/\S+:", line):
            file = line[:-1]
        elif line[0] == "-" and file:
            if not mutant.pieces or mutant.pieces[-1][2] or mutant.pieces[-1][0] != file:
                mutant.pieces.append([file, [], []])
            mutant.pieces[-1][1].append(line[1:])
        elif line[0] == "+" and mutant.pieces:
            mutant.pieces[-1][2].append(line[1:])
        elif not mutant.killers:
            mutant.sentence += (" " if mutant.sentence else "") + line
        else:
            raise Bad(f"{where}: not understood: {line}")
    if mutant:
        yield mutant


def mutants_of(folder):
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.mutants"))):
        for mutant in parse(path):
            if mutant.name in found:
                raise Bad(f"{mutant.where}: '{mutant.name}' is at {found[mutant.name].where} already")
            if not (mutant.sentence and mutant.killers and mutant.pieces):
                raise Bad(f"{mutant.where}: a mutant needs a sentence, 'killed by', and something to change")
            found[mutant.name] = mutant
    return found


def pattern_of(old):
    """Old text as a regular expression: tokens in their order, with any space between them."""
    tokens = re.findall(r"\w+|[^\w\s]", old)
    text = ""
    for before, token in zip([""] + tokens, tokens):
        both_words = before[-1:].isidentifier() and token[:1].isidentifier()
        text += (r"\s+" if both_words else r"\s*" if before else "") + re.escape(token)
    return (r"(?<!\w)" if tokens[0][0].isalnum() else "") + text + (r"(?!\w)" if tokens[-1][-1].isalnum() else "")


def mutate(mutant, tree, into):
    """Write the changed files below @into; return their names."""
    texts = {}
    for file, old, new in mutant.pieces:
        if file not in texts:
            with open(os.path.join(tree, file), encoding="ascii") as f:
                texts[file] = f.read()
        found = list(re.finditer(pattern_of("\n".join(old)), texts[file]))
        if len(found) != 1:
            raise Bad(f"its old text is in {file} {len(found)} times, not once: renew it ({mutant.where}):\n    " +
                      "\n    ".join(line.strip() for line in old))
        texts[file] = texts[file][:found[0].start()] + "\n".join(new) + texts[file][found[0].end():]
    for file, text in texts.items():
        path = os.path.join(into, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    return list(texts)


# ---- building ----

class Tree:
    """A copy of the sources, built once as they are."""

    def __init__(self, folder, jobs):
        self.folder = folder
        self.compiler = shlex.split(os.environ.get("CC", "gcc"))
        self.objects = {}  # source -> object
        self.needs = {}    # source -> the files that it includes
        for part in ["src"] + [os.path.dirname(p) for p in PROGRAMS.values()]:
            shutil.copytree(os.path.join(ROOT, part), os.path.join(folder, part))
        self.code = self.sources(CODE)
        self.tests = {name: self.sources([p]) for name, p in PROGRAMS.items()}
        every = self.code + sum(self.tests.values(), [])
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            self.objects = dict(zip(every, pool.map(lambda s: self.compile(s, folder), every)))
        for source in every:
            self.needs[source] = self.included(self.objects[source])

    def sources(self, patterns):
        return sorted(os.path.relpath(f, self.folder) for p in patterns for f in glob.glob(os.path.join(self.folder, p)))

    def call(self, args):
        r = subprocess.run(self.compiler + args, cwd=self.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if r.returncode != 0:
            raise Bad("does not compile:\n" + r.stderr)

    def compile(self, source, over):
        """Compile with what lies in @over in the place of the tree's own files."""
        obj = os.path.join(over, source.replace("/", "_")[:-2] + ".o")
        real = os.path.join(over, source)
        self.call(FLAGS + ["-MMD", "-I", os.path.join(over, "src"), "-I", "src", "-I", "tests", "-c",
                           real if os.path.exists(real) else source, "-o", obj])
        return obj

    def included(self, obj):
        with open(obj[:-2] + ".d", encoding="utf-8") as f:
            names = f.read().replace("\\\n", " ").split()[1:]
        return {os.path.relpath(os.path.join(self.folder, n), self.folder) for n in names}

    def link(self, name, over, changed):
        """One program. The tests themselves are never built with a mutant's header: they know what is right."""
        objects = [changed.get(s, self.objects[s]) for s in self.code] + [self.objects[s] for s in self.tests[name]]
        program = os.path.join(over, name)
        self.call(objects + ["-o", program])
        return program

    def build(self, over, files=()):
        changed = {s: self.compile(s, over) for s in self.code if self.needs[s] & set(files)}
        if files and not changed:
            raise Bad(f"nothing that is tested here includes {', '.join(files)}")
        return {name: self.link(name, over, changed) for name in PROGRAMS}


# ---- running ----

class Runner:
    def __init__(self, tree, seeds):
        self.tree, self.seeds = tree, seeds
        self.limit_s = 3600
        self.scripts = self.tree.sources(["tests/script/*.script"])

    def call(self, args):
        """Run; return its output, and None or why it failed."""
        limited = ["sh", "-c", 'ulimit -t "$0"; exec "$@"', str(self.limit_s)] + args
        r = subprocess.run(limited, cwd=self.tree.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           encoding="utf-8", errors="replace")
        if r.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return r.stdout, f"runs in circles, for more than {self.limit_s} s"
        if r.returncode < 0:
            return r.stdout, f"dies of {signal.Signals(-r.returncode).name}"
        return r.stdout, "fails" if r.returncode != 0 else None

    def sim(self, program):
        """None, or what failed first."""
        out, why = self.call([program, "--seeds", str(self.seeds)])
        if why is None:
            return None
        m = re.search(r"^seed (\d+) \((\S+)\) failed after \d+ events: (.*)", out, re.M)
        return f"seed {m[1]} ({m[2]}): {m[3]}" if m else why

    def script(self, program):
        if not self.scripts:
            return None
        out, why = self.call([program] + self.scripts)
        if why is None:
            return None
        m = re.search(r"^\S*?([\w.-]+\.script:\d+: .*)", out, re.M)
        return m[1] if m else why

    def run(self, programs):
        return {"sim": self.sim(programs["sim"]), "script": self.script(programs["script"])}


def try_one(tree, runner, mutant):
    """(problem, {program: what failed first, or None})"""
    over = os.path.join(tree.folder, "mutant-" + mutant.name)
    os.mkdir(over)
    try:
        files = mutate(mutant, tree.folder, over)
        result = runner.run(tree.build(over, files))
    except Bad as e:
        return f"cannot be tried: {e}", {}
    finally:
        shutil.rmtree(over)
    if not any(result.values()):
        return "SURVIVES", result
    spared = [k for k in mutant.killers if result[k] is None]
    return f"not killed by {', '.join(spared)}" if spared else None, result


def show(mutant, problem, result):
    print(f"{'killed  ' if problem is None else 'FAILED  '} {mutant.name}: {mutant.sentence}")
    if problem is not None:
        print(f"          {problem}")
    for name, first in result.items():
        if first is not None:
            print(f"          {name + ':':7} {first[:200]}")
    sys.stdout.flush()


def run_all(mutants, seeds, jobs):
    failed = []
    with tempfile.TemporaryDirectory(prefix="tcpcopy-mutants-") as folder:
        tree = Tree(folder, jobs)
        runner = Runner(tree, seeds)
        began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        right = runner.run(tree.build(folder))
        took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began
        for name, first in right.items():
            if first is not None:
                raise Bad(f"{name} fails without any mutant, so its failing would show nothing: {first}")
        runner.limit_s = int(max(PATIENCE_MIN_S, PATIENCE * took))
        print(f"without mutants: {seeds} seeds and {len(runner.scripts)} scripts are well, {took:.1f} s", flush=True)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for mutant, (problem, result) in zip(mutants, pool.map(lambda m: try_one(tree, runner, m), mutants)):
                show(mutant, problem, result)
                if problem is not None:
                    failed.append(mutant.name)
    if failed:
        print(f"failed: {' '.join(failed)}")
    print(f"{len(mutants) - len(failed)} of {len(mutants)} mutants killed as they should")
    return failed


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--only", metavar="NAME,...", help="these mutants alone")
    args.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"seeds of the simulation for each, {SEEDS} by default")
    args.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="how many at once")
    args.add_argument("--list", action="store_true", help="names and sentences, nothing else")
    o = args.parse_args()
    try:
        mutants = mutants_of(HERE)
        names = o.only.split(",") if o.only else list(mutants)
        unknown = [n for n in names if n not in mutants]
        if unknown:
            raise Bad(f"no mutant '{unknown[0]}'")
        if o.list:
            print("\n".join(f"{m.name:32} {m.sentence}" for m in mutants.values()))
            return 0
        return 1 if run_all([mutants[n] for n in names], o.seeds, o.jobs) else 0
    except Bad as e:
        print(f"mutants: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

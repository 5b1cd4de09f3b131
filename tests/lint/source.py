#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""source.py ROOT CHECK [ARGS] - rules of the house that a scan of the text can see

Each check is a generator of findings ("file:line: what is wrong"). Exit 0: none; 1: some.
A file above 700 lines, or a function above 70, needs a comment that says why, with the word "Length:" in it: the file within its
first 40 lines, the function in the comment above it or inside.
"""

import os
import re
import sys

FILE_LINES, FUNCTION_LINES = 700, 70
C_FILE = (".c", ".h")
NOT_TEXT = (".pcap", ".pcapng", ".gz", ".zst", ".png")


def files(root, suffixes=None):
    """Yield (name relative to root, lines) of each text file of ours; generated and binary ones are left out."""
    for folder, dirs, names in os.walk(root):
        dirs[:] = [d for d in dirs if (not d.startswith((".", "build")) or d == ".ci") and d not in ("corpus", "__pycache__")]
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.islink(path) or name.endswith(NOT_TEXT) or (suffixes and not name.endswith(suffixes)):
                continue
            with open(path, encoding="utf-8", errors="surrogateescape") as f:
                yield os.path.relpath(path, root), f.read().splitlines()


def ascii(root):
    for name, lines in files(root):
        for i, line in enumerate(lines, 1):
            if not line.isascii():
                yield f"{name}:{i}: not ASCII: {line.strip()!a}"


def spdx(root):
    for name, lines in files(root, C_FILE):
        if not lines or lines[0] != "/* SPDX-License-Identifier: BSD-2-Clause":
            yield f"{name}:1: the first line is not '/* SPDX-License-Identifier: BSD-2-Clause'"


def conditionals(root):
    """#if, #ifdef, #ifndef: in base/compat.h, and as the guard of a header; nowhere else."""
    for name, lines in files(root, C_FILE):
        if name == "src/base/compat.h":
            continue
        guard_seen = not name.endswith(".h")
        for i, line in enumerate(lines, 1):
            if not re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line):
                continue
            symbol = re.fullmatch(r"#ifndef (TC_\w+_H)", line)
            if not guard_seen and symbol and i < len(lines) and lines[i] == f"#define {symbol[1]}":
                guard_seen = True
                continue
            yield f"{name}:{i}: a conditional outside base/compat.h: {line.strip()}"


def outside(root):
    """Nothing outside the repository is named; .ci/run alone may look for the captures beside it."""
    pattern = re.compile(r"/work/|\.\./shared|\.library|/home/\w|/root/\w")
    own = os.path.relpath(os.path.abspath(__file__), root)
    for name, lines in files(root):
        for i, line in enumerate(lines, 1):
            if name == ".ci/run":
                line = line.replace("../shared/pcaps", "")
            if name != own and pattern.search(line):
                yield f"{name}:{i}: names a file outside the repository: {line.strip()}"


def length(root):
    for name, lines in files(root, C_FILE + (".py", ".sh")):
        if len(lines) > FILE_LINES and not any("Length:" in line for line in lines[:40]):
            yield f"{name}: {len(lines)} lines, and no comment 'Length: ...' that says why"
        if not name.endswith(C_FILE):
            continue
        start = None
        for i, line in enumerate(lines):
            if line == "{":  # our format opens a function, and nothing else, in the first column
                start = i
            elif line == "}" and start is not None:
                above = start
                while above > 0 and lines[above - 1].strip():
                    above -= 1
                if i - start - 1 > FUNCTION_LINES and not any("Length:" in l for l in lines[above:i]):
                    yield f"{name}:{start + 1}: a function of {i - start - 1} lines, and no comment 'Length: ...' that says why"
                start = None


def includes(root, *table):
    """Arrows point one way: src/<folder> includes only folders of its row of the table in src/meson.build."""
    sees = {row.split("=")[0]: set(row.split("=")[1].split(",")) for row in table}
    folders = {d for d in os.listdir(os.path.join(root, "src")) if os.path.isdir(os.path.join(root, "src", d))}
    for name, lines in files(root, C_FILE):
        parts = name.split("/")
        folder = parts[1] if parts[0] == "src" else None
        relay = folder == "intercept" and parts[-1].startswith("relay")
        allowed = sees.get("relay" if relay else folder, folders)
        for i, line in enumerate(lines, 1):
            header = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not header:
                continue
            prefix = header[2].split("/")[0]
            if ".." in header[2].split("/"):
                yield f"{name}:{i}: an include with '..': {header[2]}"
            elif header[1] == "<" and prefix in folders and os.path.exists(os.path.join(root, "src", header[2])):
                yield f"{name}:{i}: our own headers are included with quotes: {header[2]}"
            elif header[1] == '"' and folder and "/" not in header[2]:
                yield f"{name}:{i}: say folder/file: {header[2]}"
            elif header[1] == '"' and folder and prefix not in allowed:
                if not (relay and re.fullmatch(r"intercept/relay[\w-]*\.h", header[2])):
                    yield f"{name}:{i}: {'the relay' if relay else folder} may not see {prefix}/"


def rules(root):
    """doc/session.md: each rule has a script, each script is some rule's, and each is run."""
    folder = os.path.join(root, "tests", "script")
    scripts = {name.removesuffix(".script") for name in os.listdir(folder) if name.endswith(".script")}
    with open(os.path.join(folder, "meson.build"), encoding="utf-8") as f:
        run = set(re.findall(r"^  '([\w-]+)',$", f.read(), re.M))
    named = set()
    with open(os.path.join(root, "doc", "session.md"), encoding="utf-8") as f:
        in_table = False
        for i, line in enumerate(f, 1):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            in_table = line.startswith("|") and (in_table or cells == ["rule", "source", "script"])
            if not in_table or cells[0] in ("rule", "---"):
                continue
            found = re.fullmatch(r"`([\w-]+)`", cells[-1])
            if len(cells) != 3 or not found or found[1] not in scripts:
                yield f"doc/session.md:{i}: a rule without a script in tests/script: {cells[0]}"
            else:
                named.add(found[1])
    for name in sorted(scripts - named):
        yield f"tests/script/{name}.script: no rule of doc/session.md names it"
    for name in sorted(scripts ^ run):
        yield f"tests/script/meson.build: {name}: a script that is not run, or a row without a script"


CHECKS = {f.__name__: f for f in (ascii, conditionals, includes, length, outside, rules, spdx)}


def main():
    if len(sys.argv) < 3 or sys.argv[2] not in CHECKS:
        sys.exit(f"usage: source.py ROOT {'|'.join(CHECKS)}")
    findings = list(CHECKS[sys.argv[2]](sys.argv[1], *sys.argv[3:]))
    print("\n".join(findings))
    sys.exit(1 if findings else 0)


main()

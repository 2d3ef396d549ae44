#!/usr/bin/env python3
"""Writes data/npm-names.gz, the names of npm packages in real use, from a table of packages.

    python3 data/npm_names.py TABLE        # or: make npm-names TABLE=packages.tsv

TABLE has a line for each package: name, version, downloads a month, separated by tabs; further columns and a first line of
column names are passed over. The same table gives the same file, byte for byte.

The file is gzip over text: a first line of comment, the names that are imitated, an empty line, the other names in use. Both
lists are in the order of bytes; of each name only what follows the part it shares with the one before is written, behind one
letter for the length of that part (0 to 9, a to z).
"""

import gzip
import sys

FAMOUS = 3_000_000
KNOWN = 20_000
LENGTHS = "0123456789abcdefghijklmnopqrstuvwxyz"


def read(path):
    packages = {}
    with open(path, encoding="utf-8", errors="replace") as table:
        for line in table:
            columns = line.rstrip("\n").split("\t")
            name = columns[0]
            if len(columns) > 2 and columns[2].isdigit() and name.isascii() and name.isprintable() and " " not in name:
                packages[name] = int(columns[2])
    return packages


def shortened(names):
    previous = ""
    for name in sorted(names):
        shared = 0
        while shared < min(len(name), len(previous), len(LENGTHS) - 1) and name[shared] == previous[shared]:
            shared += 1
        yield LENGTHS[shared] + name[shared:]
        previous = name


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    packages = read(sys.argv[1])
    famous = [name for name, downloads in packages.items() if downloads >= FAMOUS]
    known = [name for name, downloads in packages.items() if KNOWN <= downloads < FAMOUS]
    head = f"# {len(famous)} names with {FAMOUS} downloads a month or more, {len(known)} with {KNOWN} or more"
    text = "\n".join([head, *shortened(famous), "", *shortened(known), ""])
    with open("data/npm-names.gz", "wb") as file:
        file.write(gzip.compress(text.encode("ascii"), 9, mtime=0))
    print(head)


main()

#!/usr/bin/env python3
"""Every relative link of the Markdown files leads to a file, and every anchor to a heading of it.

Every page of docs is in docs/SUMMARY.md. Needs nothing but Python.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")


def text_of(path):
    """The page without code blocks."""
    kept, inside = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            kept.append(line)
    return kept


def anchors(path):
    """The anchors of a page's headings, as GitHub and mdbook make them."""
    found = {}
    for line in text_of(path):
        if re.match(r"#{1,6} ", line):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.lstrip("#").strip()).lower()
            slug = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
            count = found.get(slug, 0)
            found[slug] = count + 1
            if count:
                found[f"{slug}-{count}"] = 1
    return set(found)


def pages():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return sorted(ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists())


def main():
    problems, links = [], 0
    for page in pages():
        for line in text_of(page):
            line = re.sub(r"`[^`]*`", "", line) if "](" not in line else line
            for match in LINK.finditer(line):
                target = match.group(1) or match.group(2)
                if re.match(r"[a-z]+:", target):
                    continue
                links += 1
                name, _, anchor = target.partition("#")
                file = (page.parent / name).resolve() if name else page
                if not file.exists():
                    problems.append(f"{page.relative_to(ROOT)}: no file `{name}`")
                elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                    problems.append(f"{page.relative_to(ROOT)}: no heading `#{anchor}` in `{name}`")
    summary = ROOT / "docs/SUMMARY.md"
    listed = {(summary.parent / name).resolve() for name in re.findall(r"\]\(([^)]+)\)", summary.read_text())}
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if page != summary and page.resolve() not in listed:
            problems.append(f"docs/SUMMARY.md: {page.relative_to(ROOT)} is not in it")
    print("\n".join(problems) or f"{links} links lead somewhere")
    return 1 if problems else 0


sys.exit(main())

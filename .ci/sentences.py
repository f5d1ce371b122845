#!/usr/bin/env python3
"""Length of sentences, in words, of README and docs: median and longest per file.

Fails where a sentence has more than 35 words (docs/reference/recipe.md, which is made from the code's own comments, aside), or
where the README has more than 80 lines outside code blocks and tables. Tables, code and headings are no sentences; an item of a list is its own paragraph.
"""

import re
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_WORDS = 35
MOST_LINES = 80


def prose(text):
    """Paragraphs outside of code blocks, tables and headings."""
    paragraphs, now, inside = [], [], False
    for line in text.splitlines() + [""]:
        stripped = line.strip()
        if stripped.startswith("```"):
            inside = not inside
            stripped = ""
        elif inside:
            continue
        begins = re.match(r"([*-]|\d+\.) ", stripped)
        if not stripped or stripped.startswith(("|", "#", "![", "<", "$$")) or begins:
            if now:
                paragraphs.append(" ".join(now))
            now = [re.sub(r"^([*-]|\d+\.) ", "", stripped)] if begins else []
        else:
            now.append(stripped)
    return paragraphs


def sentences(text):
    for paragraph in prose(text):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", paragraph)
        plain = re.sub(r"`[^`]*`", "Code", plain)
        plain = re.sub(r"[*_]{1,2}", "", plain)
        for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z0-9\"(])", plain):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            if words:
                yield len(words), sentence


def main():
    files = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    failed = False
    print(f"{'file':40} sentences  median  longest")
    for file in files:
        name = str(file.relative_to(ROOT))
        text = file.read_text(encoding="utf-8")
        found = list(sentences(text))
        if not found or name == "docs/SUMMARY.md":
            continue
        lengths = [length for length, _ in found]
        print(f"{name:40} {len(lengths):9}  {statistics.median(lengths):6g}  {max(lengths):7}")
        if name != "docs/reference/recipe.md":
            for length, sentence in found:
                if length > MOST_WORDS:
                    failed = True
                    print(f"    {length} words: {sentence}")
    inside, lines = False, 0
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            inside = not inside
        elif not inside and line.strip() and not line.startswith("|"):
            lines += 1
    print(f"README.md: {lines} lines outside code blocks and tables, at most {MOST_LINES}")
    return 1 if failed or lines > MOST_LINES else 0


sys.exit(main())

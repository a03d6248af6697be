"""Turns the style sheet and the scripts of the HTML report into C++ (embedded.h).

Usage: embed.py OUTPUT.cc STYLE.css CHARTS.js PAGE.js [CHART_JS LICENCE.txt]

Each becomes a row of string literals, because compilers limit the length of one, and the base64
SHA-256 of the whole, by which the page's Content-Security-Policy admits it and nothing else.
Without CHART_JS that one is empty: the report then has tables only.
"""
import base64
import hashlib
import pathlib
import sys

CHUNK = 16_000  # bytes of a literal; clang warns above 65,536


def literal(data):
    """Bytes as a C++ string literal. Octal escapes have three digits, so nothing runs on."""
    special = {ord('"'): '\\"', ord("\\"): "\\\\", ord("?"): "\\?", ord("\n"): "\\n"}
    return '"' + "".join(
        special.get(byte, chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")
        for byte in data) + '"'


def definition(name, data):
    chunks = [data[at:at + CHUNK] for at in range(0, len(data), CHUNK)]
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode() if data else ""
    if not chunks:
        return f'const Embedded {name} = {{{{}}, ""}};\n'
    return (f"constexpr std::string_view {name}Chunks[] = {{\n"
            + "".join(f"    {literal(chunk)},\n" for chunk in chunks)
            + f'}};\nconst Embedded {name} = {{{name}Chunks, "{digest}"}};\n')


def read(path):
    data = pathlib.Path(path).read_bytes()
    for forbidden in (b"</script", b"</style", b"<!--"):
        if forbidden in data.lower():
            sys.exit(f"{path}: has {forbidden.decode()} in it and cannot stand in a page")
    return data


def chart_js(path, licence):
    """With the licence in front, which every copy has to carry."""
    data = read(path)
    if b"Chart" not in data:
        sys.exit(f"{path}: is not Chart.js")
    return b"/*!\n" + read(licence) + b"*/\n" + data


def main(output, style, charts, page, library=None, licence=None):
    parts = {
        "kStyle": read(style),
        "kChartsScript": read(charts),
        "kPageScript": read(page),
        "kChartJs": chart_js(library, licence) if library else b"",
    }
    text = '#include "compare/html/embedded.h"\n\nnamespace ringecho::compare::html {\n\n'
    text += "\n".join(definition(name, data) for name, data in parts.items())
    text += "\n}  // namespace ringecho::compare::html\n"
    pathlib.Path(output).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])

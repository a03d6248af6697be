"""Validates result files against the published schema.

Usage: result_schema.py SCHEMA FILE...   prints what is wrong with each; exits 1 if anything is.
"""
import json
import sys

import jsonschema


def _refuse_constant(name):
    raise ValueError(f"{name} is no JSON")


def _refuse_duplicates(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a key stands twice among {names}")
    return dict(pairs)


def parse(text):
    """The document, or ValueError for what JSON does not allow (Python's parser takes NaN)."""
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)


def errors(schema, document):
    """What is wrong with the document, as "place: message"; empty when it is valid."""
    validator = jsonschema.Draft202012Validator(schema)
    return [
        f"{'.'.join(map(str, error.absolute_path)) or 'document'}: {error.message}"
        for error in validator.iter_errors(document)
    ]


def main(schema_path, *paths):
    with open(schema_path, encoding="utf-8") as file:
        schema = parse(file.read())
    failed = False
    for path in paths:
        with open(path, encoding="utf-8") as file:
            try:
                found = errors(schema, parse(file.read()))
            except ValueError as error:
                found = [str(error)]
        for message in found:
            print(f"{path}: {message}")
        failed = failed or bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Validates files against a JSON Schema.

    schema.py SCHEMA FILE...

FILEs are JSON or YAML. Prints a line for each that is not valid. Needs jsonschema, and PyYAML for YAML.
"""

import json
import sys

import jsonschema


def load(path):
    with open(path, encoding="utf-8") as f:
        if path.endswith(".json"):
            return json.load(f)
        import yaml

        return yaml.safe_load(f)


def main():
    schema = load(sys.argv[1])
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sys.argv[2:]:
        for e in validator.iter_errors(load(path)):
            print(f"{path}: {e.json_path}: {e.message}")


if __name__ == "__main__":
    main()

"""The published schema accepts what the code writes and refuses what is broken.

Usage: schema_test.py SCHEMA PRINT_SAMPLE
"""
import copy
import subprocess
import sys
import unittest

try:
    import jsonschema
    import result_schema
except ImportError:
    print("SKIPPED: no jsonschema for", sys.executable, "(apt install python3-jsonschema)")
    sys.exit(77)

SCHEMA_PATH, PRINT_SAMPLE = sys.argv[1:3]

with open(SCHEMA_PATH, encoding="utf-8") as schema_file:
    SCHEMA = result_schema.parse(schema_file.read())


def sample(role):
    return subprocess.run([PRINT_SAMPLE, role], check=True, capture_output=True, text=True).stdout


SAMPLES = {role: result_schema.parse(sample(role)) for role in ("server", "load")}


def at(document, path):
    for key in path:
        document = document[key]
    return document


class SchemaTest(unittest.TestCase):
    def assert_valid(self, document):
        self.assertEqual(result_schema.errors(SCHEMA, document), [])

    def assert_refused(self, document, hint):
        found = result_schema.errors(SCHEMA, document)
        self.assertTrue(any(hint in error for error in found), (hint, found))

    def test_schema_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_samples_are_valid(self):
        for document in SAMPLES.values():
            self.assert_valid(document)

    def test_every_object_of_the_samples_is_described(self):
        """An unknown key is refused everywhere except where names are free."""
        free = {"config", "requested", "effective", "declined", "labels", "mitigations", "sysctls",
                "errors", "engine_stats", "percentiles"}

        def objects(node, path=()):
            if isinstance(node, dict):
                yield path
                for key, child in node.items():
                    yield from objects(child, path + (key,))
            elif isinstance(node, list):
                for index, child in enumerate(node):
                    yield from objects(child, path + (index,))

        for role, document in SAMPLES.items():
            for path in objects(document):
                if path and path[-1] in free:
                    continue
                broken = copy.deepcopy(document)
                at(broken, path)["surprise"] = 1
                with self.subTest(role=role, path=path):
                    self.assert_refused(broken, "surprise")

    def test_missing_fields_are_refused(self):
        for path in [("schema",), ("run", "start_monotonic_ns"), ("config", "engine", "reason"),
                     ("config", "depth"), ("host", "environment", "cpu", "smt"),
                     ("totals", "messages"), ("totals", "exceptions"), ("latency",),
                     ("latency", "response_ns", "hdr_v2"), ("resources", "cpu_share"),
                     ("intervals", 0, "cpu_ns"), ("validity", "checks", 0, "limit")]:
            broken = copy.deepcopy(SAMPLES["load"])
            del at(broken, path[:-1])[path[-1]]
            with self.subTest(path=path):
                self.assert_refused(broken, f"'{path[-1]}' is a required property")

    def test_wrong_values_are_refused(self):
        for path, value in [
                (("schema",), "fio"), (("schema_version",), "2.0"),
                (("run", "status"), "fine"), (("run", "start_time"), "yesterday"),
                (("run", "seed"), 2 ** 64), (("run", "exit_code"), -1),
                (("config", "role"), "peer"), (("config", "threads"), 0),
                (("config", "connections"), 0), (("config", "cpus"), [1, 1]),
                (("config", "size_bytes"), "64"), (("config", "transport"), "udp"),
                (("config", "engine", "name"), "auto"), (("config", "verify"), {}),
                (("config", "Verify"), True), (("host", "fingerprint"), "none"),
                (("totals", "messages"), -1), (("totals", "messages"), 1.5),
                (("totals", "messages"), None), (("totals", "messages"), 2 ** 63),
                (("latency", "response_ns", "percentiles"), {"p50": 1}),
                (("latency", "response_ns", "min"), None),
                (("latency", "connect_ns", "min"), 5),
                (("latency", "response_ns", "hdr_v2"), "not base64!"),
                (("errors", "reset"), -1), (("errors", "Bad Name"), 1),
                (("resources", "steal_share"), 1.5), (("phases", 0, "name"), "lunch"),
                (("engine_stats", "submissions"), "many"),
                (("validity", "verdict"), "great")]:
            broken = copy.deepcopy(SAMPLES["load"])
            at(broken, path[:-1])[path[-1]] = value
            with self.subTest(path=path, value=value):
                self.assertNotEqual(result_schema.errors(SCHEMA, broken), [])

    def test_an_error_is_told_exactly_when_the_run_failed(self):
        document = copy.deepcopy(SAMPLES["load"])
        document["run"]["status"] = "error"
        self.assert_refused(document, "'error' is a required property")
        document["run"]["error"] = "connect 127.0.0.1:1: Connection refused (ECONNREFUSED)"
        self.assert_valid(document)
        document["run"]["status"] = "ok"
        self.assertNotEqual(result_schema.errors(SCHEMA, document), [])

    def test_role_and_tool_agree(self):
        document = copy.deepcopy(SAMPLES["server"])
        document["tool"]["name"] = "ringecho-load"
        self.assertNotEqual(result_schema.errors(SCHEMA, document), [])

    def test_nan_and_duplicates_are_no_json(self):
        for text in ['{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}', '{"a": 1, "a": 2}']:
            with self.subTest(text=text), self.assertRaises(ValueError):
                result_schema.parse(text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

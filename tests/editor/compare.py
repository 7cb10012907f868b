"""Hold sagas/saga.schema.json equal to the loader.

    compare.py JUDGE SCHEMA FILE...

JUDGE (judge.c) says what the loader thinks of a definition. Where a mistake is
one of form (an unknown key, a wrong type, a bad name), the schema must refuse
the definition, too; where it is one of meaning (an unknown step, an undo behind
the pivot), or where there is none, the schema must allow it. This is asked of
every FILE, and of every FILE changed in many small ways: a key left out, renamed
or put where it does not belong, a value replaced by another one.

At the end every keyword of the schema must have refused something, so that none
of them is there by mistake.
"""

import json
import re
import subprocess
import sys

FORM, MEANING, TEXT = "form", "meaning", "text"

# What each code of the loader is about. TEXT is what an editor's YAML says by
# itself: the schema is not asked. A piece of the message tells apart what has one
# code; the first rule that fits counts.
CODES = """
text    file-not-found file-unreadable too-large not-utf8 control-character
text    yaml-syntax unquoted-expression empty-document several-documents too-deep
text    too-many-values yaml-alias yaml-anchor yaml-tag yaml-merge-key non-text-key
text    long-key duplicate-key ambiguous-scalar
form    wrong-type bad-value bad-name bad-version bad-duration bad-number bad-call
form    unknown-key missing-key bad-key too-many-retries schema-keyword bad-child
form    no-steps no-branches bad-step missing-form two-forms missing-kind
meaning json-syntax payload-too-large bad-mask unknown-retry unused-retry bad-schema
meaning too-many-steps nested-too-deep duplicate-step unreachable-step
meaning await-without-timeout unused-then missing-undo undo-on-pivot undo-on-readonly
meaning undo-after-pivot second-pivot pivot-in-parallel compensatable-after-pivot
meaning each-in-each too-many-instances child-cycle
meaning retriable-before-pivot compensate-after-pivot ignore-on-pivot park-before-pivot
meaning expression-syntax expression-type expression-too-long expression-too-deep
meaning unknown-name unknown-function wrong-arguments unknown-step step-not-run
meaning step-maybe-missing no-output
"""
EXCEPTIONS = [
    ("wrong-type", "; this one gives ", MEANING),
    ("missing-key", "so write `then: continue`", MEANING),
    ("bad-duration", "is over the longest duration", MEANING),
    ("bad-duration", "is shorter than `first`", MEANING),
    ("bad-number", "of at most 18 digits", MEANING),
    ("bad-schema", "is an empty list", FORM),
    ("bad-schema", "is required twice", FORM),
    ("bad-name", " is the step in line ", MEANING),
    ("file-unreadable", "cannot be opened from here", MEANING),
]


def read_codes():
    kinds = {}
    for line in CODES.split("\n"):
        for code in line.split()[1:]:
            kinds[code] = line.split()[0]
    return kinds


def kind_of(error, kinds):
    if error.get("elsewhere"):
        return MEANING
    for code, piece, kind in EXCEPTIONS:
        if code == error["code"] and piece in error["text"]:
            return kind
    return kinds[error["code"]]


# --- a validator for the keywords that the schema uses, and no others -----------


class Validator:
    NOTES = {"$schema", "$defs", "title", "description", "default"}

    def __init__(self, schema):
        self.root = schema
        self.unused = set()  # (place, keyword) that have refused nothing yet
        self.check_keywords(schema, "#")

    def check_keywords(self, schema, place):
        for keyword, value in schema.items():
            if keyword in self.NOTES:
                pass
            elif not hasattr(self, self.method(keyword)):
                raise SystemExit("compare.py cannot check the keyword %s of %s" % (keyword, place))
            elif value is not False or keyword == "additionalProperties":
                self.unused.add((place, keyword))
        for inner, where in self.schemas_in(schema, place):
            self.check_keywords(inner, where)

    @staticmethod
    def schemas_in(schema, place):
        for keyword in ("items", "additionalProperties", "propertyNames"):
            if isinstance(schema.get(keyword), dict):
                yield schema[keyword], "%s/%s" % (place, keyword)
        for keyword in ("anyOf", "oneOf"):
            for i, inner in enumerate(schema.get(keyword, [])):
                yield inner, "%s/%s/%d" % (place, keyword, i)
        for keyword in ("properties", "$defs"):
            for name, inner in schema.get(keyword, {}).items():
                yield inner, "%s/%s/%s" % (place, keyword, name)

    @staticmethod
    def method(keyword):
        return "check_" + keyword.strip("$")

    def allows(self, value):
        return self.check(self.root, "#", value)

    def check(self, schema, place, value):
        right = True
        for keyword in schema:
            if keyword in self.NOTES:
                continue
            if not getattr(self, self.method(keyword))(schema, place, value):
                self.unused.discard((place, keyword))
                right = False
        return right

    # One method for each keyword. What a keyword is not about it allows.

    def check_ref(self, schema, place, value):
        name = schema["$ref"][len("#/$defs/"):]
        return self.check(self.root["$defs"][name], "#/$defs/" + name, value)

    def check_type(self, schema, place, value):
        types = {
            "object": dict, "array": list, "string": str, "number": (int, float), "integer": int,
        }
        if isinstance(value, bool):
            return False  # to Python a boolean is a number, and no type here is boolean
        if schema["type"] == "integer" and isinstance(value, float):
            return value.is_integer()
        return isinstance(value, types[schema["type"]])

    def check_enum(self, schema, place, value):
        return any(same(value, choice) for choice in schema["enum"])

    def check_const(self, schema, place, value):
        return same(value, schema["const"])

    def check_pattern(self, schema, place, value):
        # To Python $ is also before a last line break.
        pattern = schema["pattern"].replace("$", r"\Z")
        return not isinstance(value, str) or re.search(pattern, value) is not None

    def check_maxLength(self, schema, place, value):
        return not isinstance(value, str) or len(value) <= schema["maxLength"]

    def check_minimum(self, schema, place, value):
        return not is_number(value) or value >= schema["minimum"]

    def check_maximum(self, schema, place, value):
        return not is_number(value) or value <= schema["maximum"]

    def check_required(self, schema, place, value):
        return not isinstance(value, dict) or all(name in value for name in schema["required"])

    def check_minProperties(self, schema, place, value):
        return not isinstance(value, dict) or len(value) >= schema["minProperties"]

    def check_maxProperties(self, schema, place, value):
        return not isinstance(value, dict) or len(value) <= schema["maxProperties"]

    def check_properties(self, schema, place, value):
        if not isinstance(value, dict):
            return True
        return all([
            self.check(inner, "%s/properties/%s" % (place, name), value[name])
            for name, inner in schema["properties"].items() if name in value
        ])

    def check_additionalProperties(self, schema, place, value):
        if not isinstance(value, dict):
            return True
        others = [name for name in value if name not in schema.get("properties", {})]
        if schema["additionalProperties"] is False:
            return not others
        inner = schema["additionalProperties"]
        return all([self.check(inner, place + "/additionalProperties", value[name])
                    for name in others])

    def check_propertyNames(self, schema, place, value):
        if not isinstance(value, dict):
            return True
        return all([self.check(schema["propertyNames"], place + "/propertyNames", name)
                    for name in value])

    def check_items(self, schema, place, value):
        if not isinstance(value, list):
            return True
        return all([self.check(schema["items"], place + "/items", item) for item in value])

    def check_minItems(self, schema, place, value):
        return not isinstance(value, list) or len(value) >= schema["minItems"]

    def check_uniqueItems(self, schema, place, value):
        return not isinstance(value, list) or not any(
            same(a, b) for i, a in enumerate(value) for b in value[:i])

    def count_right(self, schema, keyword, place, value):
        return sum([self.check(inner, "%s/%s/%d" % (place, keyword, i), value)
                    for i, inner in enumerate(schema[keyword])])

    def check_anyOf(self, schema, place, value):
        return self.count_right(schema, "anyOf", place, value) >= 1

    def check_oneOf(self, schema, place, value):
        return self.count_right(schema, "oneOf", place, value) == 1


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(a, b):
    return isinstance(a, bool) == isinstance(b, bool) and a == b


# --- small changes --------------------------------------------------------------

VALUES = [
    None, True, False, 0, 1, 1.5, 6.0, -1, 1000, 1001, 1000000, 1000001, 4294967294,
    4294967295, "", "text", "=1", "=input.a", "=has(", "Text", "a b", "-a", "a-b_2",
    "a" * 63, "a" * 64, "=='x'",
    "0s", "10", "10 s", "010s", "0m", "250ms", "15m", "24h", "7d", "1w", "1.5s", "-1s", "36501d",
    "a.b", "a.b.c", "A.b", "a.", ".b", "a.b\n",
    "1.0", "1.0.0", "01.0.0", "1.0.0-rc.1", "1.0.0-01", "1.0.0-a.", "1.0.0+a.b", "1.0.0+", "v1.0.0",
    "1.0.0-" + "a" * 58, "1.0.0-" + "a" * 59,
    "pivot", "compensate", "continue", "ignore", "park", "skip", "none", "full", "string", "null",
    "number", "std",
    [], {}, ["text"], ["=a"], ["a", "a"], [1], [None], ["string", "null"], [{}], [["a"]],
    [{"a": {"call": "a.b", "kind": "readonly"}}], [{"a": {}}], [{"a": None}], [{}, {}],
    {"a": 1}, {"call": "a.b"}, {"event": "go"}, {"until": "=input.a"}, {"after": "15m"},
    {"first": "1s"}, {"type": "string"}, {"A": {}}, {"a": []}, {"call": "a.b", "kind": "readonly"},
]
FORMS = ["call", "parallel", "each", "await", "sleep", "saga", "undo"]
NAMES = ["A", "a b", "a" * 64, "input", "null", "a-1", "when", "each", "saga"]
GIVEN = {
    "call": "a.b", "undo": {"call": "a.b"}, "kind": "readonly", "timeout": "1s", "retry": {},
    "parallel": {"a": [{"zz": {"call": "a.b", "kind": "readonly"}}]}, "await": {"event": "go"},
    "sleep": "1s", "when": "=true", "description": "text", "on_failure": "compensate",
    "with": {}, "exhausted": "park", "event": "go", "then": "compensate", "until": "=input.a",
    "after": "1s", "first": "1s", "factor": 2, "max": "1h", "jitter": "full", "attempts": 3,
    "budget": "1h", "schema": {}, "mask": [], "steps": [], "output": {}, "key": "=input.a",
    "each": {"in": "=input.a", "as": "zy", "max": 2,
             "steps": [{"zx": {"call": "a.b", "kind": "readonly"}}]},
    "in": "=input.a", "as": "zw", "saga": "other", "use": {}, "input": {}, "deadline": {"after": "1h"},
    "version": "1.0.0", "surplus": 1, "type": "string", "properties": {}, "required": [],
    "additionalProperties": False, "items": {}, "enum": [1], "const": 1, "minimum": 1,
    "maximum": 9, "minLength": 1, "maxLength": 9, "pattern": "a", "minItems": 1, "maxItems": 9,
    "$ref": "#", "oneOf": [],
}


def changes_of(value):
    """What one change makes of a value, other than another value."""
    if isinstance(value, str):
        yield value + "s"
        yield value.upper()
        yield " " + value
    if isinstance(value, list):
        yield value + value
        yield value + [None]
    if isinstance(value, dict):
        for name in value:
            rest = {other: value[other] for other in value if other != name}
            yield rest
            for new in [name + "s"] + NAMES:
                yield dict(rest, **{new: value[name]})
        for name, given in GIVEN.items():
            if name not in value:
                yield dict(value, **{name: given})
        for name in list(value)[:1]:
            yield dict(value, twin=value[name])


def kind_of_place(name, value):
    """The same for places alike: a key, or the form of the step of that name."""
    if name in GIVEN:
        return name
    forms = [form for form in FORMS if isinstance(value, dict) and form in value]
    return "*" + (forms[0] if forms else "")


def places_of(value, where=(), way=()):
    """Every place in the value, except in what may hold anything, and its way: the
    last keys that lead there, the same for places alike."""
    yield where, way[-4:], value
    if way and way[-1] in ("with", "output", "enum", "const"):
        return
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        return
    for name, item in inner:
        for found in places_of(item, where + (name,), way + (kind_of_place(name, item),)):
            yield found


def replace(document, where, new):
    if not where:
        return new
    copy = document.copy()
    copy[where[0]] = replace(document[where[0]], where[1:], new)
    return copy


def shape_of(value):
    if isinstance(value, dict):
        return tuple(sorted(name if name in GIVEN else "*" for name in value))
    return type(value).__name__


def changed(document, seen):
    """The document with one change; changes like one seen before are left out."""
    for where, way, value in places_of(document):
        changes = []
        if way not in seen:
            changes += VALUES
        if (way, shape_of(value)) not in seen:
            changes += changes_of(value)
        seen.update([way, (way, shape_of(value))])
        for new in changes:
            yield replace(document, where, new)


# --- comparing ------------------------------------------------------------------


class Comparison:
    def __init__(self, judge, schema):
        self.judge = judge
        self.validator = Validator(schema)
        self.kinds = read_codes()
        self.passed = 0
        self.failed = 0
        self.n_right = 0
        self.n_form = 0

    def run_judge(self, arguments, lines=()):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        done = subprocess.run([self.judge] + arguments, input=text.encode(),
                              stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().split("\n")[:-1]

    def result(self, right, message):
        self.passed += right
        self.failed += not right
        if not right:
            print(message)

    def difference(self, errors, tree):
        """What the two do not agree in; None: nothing."""
        kinds = [kind_of(error, self.kinds) for error in errors]
        if TEXT in kinds:
            return None
        self.n_form += FORM in kinds
        self.n_right += FORM not in kinds
        if self.validator.allows(tree) == (FORM not in kinds):
            return None
        if FORM in kinds:
            return "the schema allows what the loader refuses: %s" % ", ".join(
                "%s [%s]" % (error["text"], error["code"]) for error in errors)
        return "the schema refuses what to the loader is %s" % (
            ", ".join(error["code"] for error in errors) or "right")

    def check_codes(self):
        known = set(self.run_judge(["--codes"]))
        self.result(known == set(self.kinds), "compare.py has to say of what kind each code is: %s"
                    % ", ".join(sorted(known ^ set(self.kinds))))

    def check_file(self, verdict):
        difference = self.difference(verdict["errors"], verdict["tree"])
        self.result(not difference, "%s: %s" % (verdict["file"], difference))

    def check_changes(self, verdict, seen):
        documents = list(changed(verdict["tree"], seen))
        verdicts = self.run_judge(["-"], documents)
        differences = []
        for document, line in zip(documents, verdicts):
            difference = self.difference(json.loads(line)["errors"], document)
            if difference:
                differences.append("%s\n    %s" % (difference, json.dumps(document)))
        self.result(len(documents) == len(verdicts) and not differences,
                    "%s, changed in %d ways: %d times the two do not agree\n  %s" % (
                        verdict["file"], len(documents), len(differences),
                        "\n  ".join(differences[:5])))

    def check_unused(self):
        unused = sorted("%s of %s" % (keyword, place) for place, keyword in self.validator.unused)
        self.result(not unused, "no definition was refused because of\n  %s\n"
                    "add one to tests/golden/bad" % "\n  ".join(unused))


def main(judge, schema, files):
    with open(schema, encoding="utf-8") as file:
        comparison = Comparison(judge, json.load(file))
    seen = set()
    comparison.check_codes()
    # The small ones first, since places like those in a smaller one are left out.
    verdicts = [json.loads(line) for line in sorted(comparison.run_judge(files), key=len)]
    for verdict in verdicts:
        comparison.check_file(verdict)
        if not verdict["errors"]:
            comparison.check_changes(verdict, seen)
    comparison.check_unused()
    print("%d definitions right in form, %d wrong" % (comparison.n_right, comparison.n_form))
    print("%d passed, %d failed, 0 skipped" % (comparison.passed, comparison.failed))
    return 1 if comparison.failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

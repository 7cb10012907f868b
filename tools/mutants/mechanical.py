"""Breaks C code mechanically: one small change at a time, found in the tokens.

No parser is needed. What a change makes of the code may not compile (a case label
twice, a type that does not fit); whoever runs the changes leaves those out.
"""

import re

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<string>"(?:\\.|[^"\\])*")
  | (?P<char>'(?:\\.|[^'\\])*')
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*)
  | (?P<operator>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.()\[\]{}])
""", re.X | re.S | re.M)

SWAPS = {
    "==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||",
    "||": "&&", "|=": "&=", "&=": "|=", "^=": "|=", "+=": "-=", "-=": "+=", "++": "--",
    "--": "++",
}
BINARY_SWAPS = {"+": "-", "-": "+", "&": "|", "|": "&"}
TYPES = {
    "struct", "union", "enum", "const", "static", "extern", "typedef", "void", "bool", "char",
    "int", "long", "short", "unsigned", "signed", "size_t", "record_set",
} | {f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)}
NO_EXPRESSION = {"if", "for", "while", "do", "switch", "case", "default", "else", "return",
                 "break", "continue", "goto", "assert", "_Static_assert"}
CLOSES = {"(": ")", "[": "]", "{": "}"}


class Token:
    def __init__(self, match):
        self.kind, self.text = match.lastgroup, match.group()
        self.start, self.end = match.start(), match.end()


class Change:
    """Put `new` in the place of text[start:end]; `what` says so in a few words."""

    def __init__(self, start, end, new, what):
        self.start, self.end, self.new, self.what = start, end, new, what


def tokens_of(text):
    found = [Token(match) for match in TOKEN.finditer(text)]
    return [token for token in found if token.kind not in ("comment", "directive")]


def enums_of(texts):
    """By enum constant: the one that stands beside it."""
    beside = {}
    for text in texts:
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for body in re.findall(r"\benum\s+\w+\s*\{([^}]*)\}", text):
            join(beside, re.findall(r"^\s*([A-Z]\w*)\b|,\s*([A-Z]\w*)\b", body, re.M))
        for body in re.findall(r"#define \w+_MAP\(X\)((?:[^\n]*\\\n)*[^\n]*)", text):
            join(beside, re.findall(r"\bX\((\w+)()", body))
    return beside


def join(beside, pairs):
    names = list(dict.fromkeys(a or b for a, b in pairs))
    if len(names) > 1:
        for n, name in enumerate(names):
            beside[name] = names[(n + 1) % len(names)]


def short_names_of(text, beside):
    """Macros of the file that each stand for one enum constant."""
    short = {macro: constant
             for macro, constant in re.findall(r"^#define (\w+)\s+\w+\((\w+)\)$", text, re.M)
             if constant in beside}
    back = {constant: macro for macro, constant in short.items()}
    return {macro: back[beside[constant]] for macro, constant in short.items()
            if beside[constant] in back}


class Mutator:
    def __init__(self, text, beside):
        self.text = text
        self.beside = dict(beside, **short_names_of(text, beside))
        self.tokens = tokens_of(text)
        self.changes = []
        self.partner = self.match_brackets()

    def match_brackets(self):
        partner, open_brackets = {}, []
        for n, token in enumerate(self.tokens):
            if token.kind != "operator":
                continue
            if token.text in CLOSES:
                open_brackets.append(n)
            elif token.text in CLOSES.values():
                partner[open_brackets[-1]] = n
                partner[n] = open_brackets.pop()
        return partner

    def add(self, first, last, new, what):
        self.changes.append(Change(self.tokens[first].start, self.tokens[last].end, new, what))

    def source(self, first, last):
        return self.text[self.tokens[first].start:self.tokens[last].end]

    def negate(self, first, last):
        """Not where another change does the same: a single !, == or !=."""
        texts = [token.text for token in self.tokens[first:last + 1]]
        joined = any(text in ("&&", "||", "?", "<", ">", "<=", ">=") for text in texts)
        same = texts[:1] == ["!"] or "==" in texts or "!=" in texts
        if texts and (joined or not same):
            self.add(first, last, f"!({self.source(first, last)})", "negated")

    def is_operand_end(self, n):
        token = self.tokens[n]
        return token.text in (")", "]") or token.kind in ("name", "number", "string", "char") \
            and token.text not in ("return", "case", "sizeof")

    def run(self):
        n = 0
        while n < len(self.tokens):
            token = self.tokens[n]
            # A fault point is nothing outside of a test build.
            if token.text in ("assert", "_Static_assert", "FAULT_POINT"):
                n = self.partner[n + 1] + 1
                continue
            if token.kind == "name":
                self.change_name(n)
            elif token.kind == "number":
                self.change_number(n)
            elif token.kind == "operator":
                self.change_operator(n)
            if self.begins_statement(n):
                self.delete_statement(n)
            n += 1
        return self.unique()

    def unique(self):
        seen = {}
        for change in self.changes:
            seen.setdefault((change.start, change.end, change.new), change)
        return sorted(seen.values(), key=lambda change: (change.start, change.end))

    # --- one kind of change each -------------------------------------------------------

    def change_name(self, n):
        name = self.tokens[n].text
        if name in ("if", "while"):
            self.negate(n + 2, self.partner[n + 1] - 1)
        elif name == "for":
            self.negate_for(n)
        elif name in ("true", "false"):
            other = "false" if name == "true" else "true"
            self.add(n, n, other, f"`{name}` to `{other}`")
        elif name in self.beside:
            self.add(n, n, self.beside[name], f"`{name}` to `{self.beside[name]}`")
        elif name == "return" and self.returns_bool(n):
            end = self.end_of_statement(n)
            if self.tokens[n + 1].text not in ("true", "false"):
                self.negate(n + 1, end - 1)

    def change_number(self, n):
        number = self.tokens[n].text
        digits = number.rstrip("uUlL")
        if self.source(n - 1, n + 1) == "{0}":
            return # says "empty", and is no number
        if digits.isdigit():
            suffix = number[len(digits):]
            self.add(n, n, f"{int(digits) + 1}{suffix}", f"`{number}` to {int(digits) + 1}")
            if int(digits) > 0:
                self.add(n, n, f"{int(digits) - 1}{suffix}",
                         f"`{number}` to {int(digits) - 1}")
        else:
            self.add(n, n, f"({number} + 1)", f"`{number}` plus 1")

    def change_operator(self, n):
        text = self.tokens[n].text
        other = SWAPS.get(text)
        if not other and self.is_operand_end(n - 1):
            other = BINARY_SWAPS.get(text)
        if other:
            self.add(n, n, other, f"`{text}` to `{other}`")
        elif text in ("!", "~"):
            self.add(n, n, "", f"`{text}` removed")
        elif text == "?":
            self.negate(self.start_of_operand(n), n - 1)

    def negate_for(self, n):
        last = self.partner[n + 1]
        ends = [i for i in range(n + 2, last)
                if self.tokens[i].text == ";" and self.depth_between(n + 1, i) == 1]
        if len(ends) == 2:
            self.negate(ends[0] + 1, ends[1] - 1)

    def depth_between(self, first, last):
        texts = [token.text for token in self.tokens[first:last]]
        return sum(text in CLOSES for text in texts) - \
            sum(text in CLOSES.values() for text in texts)

    def start_of_operand(self, n):
        """Where the condition of the `?` at n begins."""
        i = n - 1
        while i > 0:
            text = self.tokens[i].text
            if text in CLOSES.values():
                i = self.partner[i]
            elif text in CLOSES or text in ("=", "return", ",", ";", "?", ":") or \
                    text in ("+=", "-=", "|=", "&="):
                return i + 1
            i -= 1
        return 0

    def begins_statement(self, n):
        if n == 0:
            return False
        before = self.tokens[n - 1]
        if before.text in (";", "{", "}", ":", "else"):
            return before.text != ":" or self.after_label(n - 1)
        if before.text == ")":
            opener = self.partner[n - 1]
            return self.tokens[opener - 1].text in ("if", "while", "for", "switch")
        return False

    def after_label(self, n):
        for i in range(n - 1, max(n - 4, 0), -1):
            if self.tokens[i].text in ("case", "default"):
                return True
        return False

    def end_of_statement(self, n):
        while self.tokens[n].text != ";":
            n = self.partner[n] + 1 if self.tokens[n].text in CLOSES else n + 1
        return n

    def delete_statement(self, n):
        token = self.tokens[n]
        if self.in_initializer(n) or token.text in TYPES:
            return
        if token.text in ("break", "continue") or \
                (token.text == "return" and self.tokens[n + 1].text == ";"):
            if self.tokens[n + 2].text != "}": # the last one of a switch ends nothing
                self.add(n, n + 1, ";", "deleted")
        elif token.text not in NO_EXPRESSION and \
                (token.kind in ("name", "number") or token.text in ("*", "(", "++", "--")):
            end = self.end_of_statement(n)
            self.add(n, end, ";", "deleted")

    def in_initializer(self, n):
        """Between the braces of `= { ... }`, of an enum or a struct, or at the top."""
        depth = 0
        for i in range(n - 1, -1, -1):
            text = self.tokens[i].text
            if text in ("}", ")", "]"):
                depth += 1
            elif text in CLOSES:
                if depth == 0:
                    return text != "{" or self.tokens[i - 1].text not in \
                        (")", "{", "}", ";", "else", "do", ":")
                depth -= 1
        return True

    def returns_bool(self, n):
        """Whether the function around n returns bool."""
        at = self.tokens[n].start
        heads = list(re.finditer(r"^(?:static )?(?:inline )?(?:enum )?(\w+) \*?\w+\(", self.text[:at], re.M))
        return bool(heads) and heads[-1].group(1) == "bool"


def function_at(text, at):
    """The name of the function that holds the place, or the table's; "" at the top."""
    heads = list(re.finditer(r"^[a-z][\w \*]*?\b(\w+)(?:\[\w*\])?(?:\(| = \{)", text[:at], re.M))
    return heads[-1].group(1) if heads else ""


def changes_of(text, beside):
    return Mutator(text, beside).run()

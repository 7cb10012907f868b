/* yaml_text.c - what can be said about a YAML text without parsing it: whether its
 * characters are allowed, and what its writer most likely did wrong. */
#include "orchestrator/load/codes.h"
#include "orchestrator/load/yaml_tree.h"

#include "base/utf8.h"

static bool character_allowed(uint32_t c)
{
	if (c < ' ')
		return c == '\t' || c == '\n' || c == '\r';
	return c < 0x7f || c == 0x85 ||
	       (c >= 0xa0 && c != 0xfeff && c != 0xfffe && c != 0xffff);
}

bool yaml_characters_valid(struct slice text, struct problems *problems)
{
	struct place place = {1, 1};
	size_t at = 0;

	while (at < text.len) {
		struct slice rest = {text.at + at, text.len - at};
		uint32_t c = (unsigned char)rest.at[0];
		size_t len = c < 0x80 ? 1 : utf8_decode(rest, &c);

		if (len == 0) {
			report(problems, place, CODE_NOT_UTF8,
			       "the bytes are not UTF-8 from here on; save the file as UTF-8");
			return false;
		}
		if (!character_allowed(c)) {
			report(problems, place, CODE_CONTROL_CHARACTER,
			       "the character U+%04X cannot stand in YAML; remove it, or write "
			       "it as \"\\u%04X\" within double quotes",
			       (unsigned)c, (unsigned)c);
			return false;
		}
		at += len;
		place.column++;
		if (c == '\n') {
			place.line++;
			place.column = 1;
		}
	}
	return true;
}

bool yaml_looks_cut(struct slice scalar)
{
	int open = 0;
	char quote = '\0';

	if (scalar.len == 0 || scalar.at[0] != '=')
		return false;
	for (size_t i = 1; i < scalar.len; i++) {
		char c = scalar.at[i];

		if (quote)
			quote = c == quote ? '\0' : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == '(' || c == '[')
			open++;
		else if (c == ')' || c == ']')
			open--;
	}
	return quote || open > 0;
}

/* --- what to say for libyaml -------------------------------------------------- */

static struct slice line_at(struct slice text, uint32_t line)
{
	size_t at = 0, end;

	for (uint32_t i = 1; i < line && at < text.len; at++)
		i += text.at[at] == '\n';
	for (end = at; end < text.len && text.at[end] != '\n'; end++)
		;
	return (struct slice){text.at + at, end - at};
}

/* The character at a column, NUL behind the end of the line. */
static char character_at(struct slice line, uint32_t column)
{
	size_t at = 0;

	for (uint32_t i = 1; i < column && at < line.len; i++) {
		do
			at++;
		while (at < line.len && ((unsigned char)line.at[at] & 0xc0) == 0x80);
	}
	return at < line.len ? line.at[at] : '\0';
}

/* Whether what stands before the column in the line is an expression without
 * quotes. A comma, ] or } outside its own quotes has ended it. */
static bool expression_before(struct slice line, uint32_t column)
{
	char before = ' '; /* the last character that is no blank */
	char quote = '\0';
	bool inside = false;

	for (size_t i = 0; i < line.len && i + 1 < column; i++) {
		char c = line.at[i];
		bool begins = !inside && (before == ' ' || memchr(":,[{-?", before, 6));

		if (quote)
			quote = c == quote ? '\0' : quote;
		else if ((begins || inside) && (c == '\'' || c == '"'))
			quote = c;
		else if (begins && c == '=')
			inside = true;
		else if (c == ',' || c == ']' || c == '}')
			inside = false;
		if (c != ' ' && c != '\t')
			before = c;
	}
	return inside;
}

static const struct hint {
	const char *problem; /* libyaml's words */
	const char *sentence;
} hints[] = {
	{"did not find expected ',' or '}'",
	 "a , or } is missing before this; close the { of line %u, or put the text before "
	 "this in quotes"},
	{"did not find expected ',' or ']'",
	 "a , or ] is missing before this; close the [ of line %u, or put the text before "
	 "this in quotes"},
	{"mapping values are not allowed in this context",
	 "a colon cannot stand here; put the text in quotes if the colon belongs to it, "
	 "otherwise correct the indentation"},
	{"block sequence entries are not allowed in this context",
	 "a list cannot begin here; begin it on a line of its own, or put the text in quotes "
	 "if the - belongs to it"},
	{"block mapping keys are not allowed in this context",
	 "a key cannot begin here; begin it on a line of its own"},
	{"did not find expected key",
	 "this does not belong here; the keys of the mapping that begins in line %u must stand "
	 "below each other, and nothing may follow a text in quotes"},
	{"did not find expected '-' indicator",
	 "this does not fit the list that begins in line %u; begin its elements with - below "
	 "each other, or correct the indentation"},
	{"could not find expected ':'",
	 "the colon behind this key is missing; write `KEY: VALUE`, or indent the line if it "
	 "belongs to the text before it"},
	{"found unexpected end of stream",
	 "the text in quotes that begins in line %u has no end; close the quotes"},
	{"found unexpected document indicator",
	 "the text in quotes that begins in line %u has no end before this line; close the "
	 "quotes"},
	{"found unknown escape character",
	 "this is not an escape that YAML knows; write \\\\ for a backslash, or use single "
	 "quotes"},
	{"found invalid Unicode character escape code",
	 "this escape is not a character; write the character itself"},
	{"did not find expected hexdecimal number",
	 "this escape lacks digits; write \\x with two, \\u with four or \\U with eight"},
	{"did not find expected comment or line break",
	 "the text of a block begins on the next line; break the line behind | or >"},
	{"did not find expected <document start>",
	 "this does not belong to what stands before it; a definition is one mapping, so "
	 "correct the indentation"},
	{"found incompatible YAML document",
	 "this version of YAML is not known; remove the line, or write %YAML 1.2"},
};

static const char *find_hint(const char *problem)
{
	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
		if (strcmp(hints[i].problem, problem) == 0)
			return hints[i].sentence;
	}
	return NULL;
}

static void report_bad_start(struct slice line, const struct yaml_failure *failure,
			     struct problems *problems)
{
	char c = character_at(line, failure->place.column);

	if (c == '\t')
		report(problems, failure->place, CODE_YAML_SYNTAX,
		       "a tab cannot indent; use spaces");
	else
		report(problems, failure->place, CODE_YAML_SYNTAX,
		       "no value can begin with %c; put the text in quotes", c);
}

/* %u in a sentence stands for the line in which what libyaml was reading begins. */
static void report_sentence(const char *sentence, const struct yaml_failure *failure,
			    struct problems *problems)
{
	const char *line = strstr(sentence, "%u");
	size_t before = line ? (size_t)(line - sentence) : strlen(sentence);

	if (line)
		report(problems, failure->place, CODE_YAML_SYNTAX, "%.*s%u%s", (int)before,
		       sentence, (unsigned)failure->context.line, line + strlen("%u"));
	else
		report(problems, failure->place, CODE_YAML_SYNTAX, "%s", sentence);
}

void yaml_report_failure(struct slice text, const struct yaml_failure *failure,
			 struct problems *problems)
{
	struct slice line = line_at(text, failure->place.line);
	const char *sentence = find_hint(failure->problem);
	bool open_quotes = strcmp(failure->problem, "found unexpected end of stream") == 0;

	if (!open_quotes && expression_before(line, failure->place.column))
		report(problems, failure->place, CODE_UNQUOTED_EXPRESSION,
		       "YAML cannot read the expression before this; write it in double "
		       "quotes, "
		       "as \"=...\", where it contains , [ ] { } : or #");
	else if (strcmp(failure->problem, "found character that cannot start any token") == 0)
		report_bad_start(line, failure, problems);
	else if (sentence)
		report_sentence(sentence, failure, problems);
	else
		report(problems, failure->place, CODE_YAML_SYNTAX,
		       "this is not right YAML: %s; correct it", failure->problem);
}

/* json_parse.c - from any text to checked text in normal form. */
#include "base/json.h"
#include "base/json_escape.h"
#include "base/json_names.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

/* Longest piece of the text that a message quotes, in bytes. */
enum { QUOTE_MAX = 20 };

/* Objects with more members than this are sorted to find duplicates, so that
 * a hostile one costs little more than a harmless one of its length. */
enum { PAIRWISE_MAX = 16 };

/* Open names that need no memory of their own. */
enum { NAMES_FEW = 64 };

struct parser {
	const char *begin;
	const char *at;
	const char *end;
	char *out; /* the normal form so far; never longer than its source */
	size_t len;
	size_t capacity;
	unsigned int depth;
	/* The names of all objects that are still open, innermost last, with
	 * their places in the source. */
	struct json_name *names;
	size_t n_names;
	size_t names_max;
	struct json_name few[NAMES_FEW];
	struct arena scratch; /* for more of them */
	struct diag *diag;
	enum err err;
};

static bool parse_value(struct parser *parser);

static bool fail(struct parser *parser, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Say what is wrong at this place of the text. False, for the caller to return. */
static bool fail(struct parser *parser, const char *at, const char *format, ...)
{
	size_t line = 1, column = 1;
	char sentence[256];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	for (const char *before = parser->begin; before < at; before++) {
		if (*before == '\n') {
			line++;
			column = 1;
		} else {
			column += ((unsigned char)*before & 0xc0) != 0x80;
		}
	}
	parser->err =
		diag_set(parser->diag, ERR_INVALID, "%zu:%zu: %s", line, column, sentence);
	return false;
}

struct found {
	char text[16];
};

/* What stands at this place, for the end of a message. */
static struct found found_at(const struct parser *parser, const char *at)
{
	struct slice rest = {at, (size_t)(parser->end - at)};
	struct found found;
	uint32_t code_point;

	if (rest.len == 0)
		snprintf(found.text, sizeof found.text, "the end");
	else if (utf8_decode(rest, &code_point) == 0)
		snprintf(found.text, sizeof found.text, "byte 0x%02x", (unsigned char)*at);
	else if (code_point > ' ' && code_point < 0x7f)
		snprintf(found.text, sizeof found.text, "'%c'", *at);
	else
		snprintf(found.text, sizeof found.text, "U+%04X", (unsigned int)code_point);
	return found;
}

/* The beginning of a piece of valid UTF-8, cut between two characters. */
static struct slice cut(struct slice text)
{
	if (text.len <= QUOTE_MAX)
		return text;
	text.len = QUOTE_MAX;
	while (text.len > 0 && ((unsigned char)text.at[text.len] & 0xc0) == 0x80)
		text.len--;
	return text;
}

static bool put(struct parser *parser, const char *bytes, size_t len)
{
	if (len > parser->capacity - parser->len) {
		fail(parser, parser->at, "the value is longer than %zu bytes; make it shorter",
		     parser->capacity);
		parser->err = ERR_TOO_LARGE;
		return false;
	}
	memcpy(parser->out + parser->len, bytes, len);
	parser->len += len;
	return true;
}

/* Take one byte of the text over as it is. */
static bool take(struct parser *parser)
{
	if (!put(parser, parser->at, 1))
		return false;
	parser->at++;
	return true;
}

static bool next_is(const struct parser *parser, char c)
{
	return parser->at < parser->end && *parser->at == c;
}

static bool next_is_digit(const struct parser *parser)
{
	return parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9';
}

static void skip_space(struct parser *parser)
{
	while (next_is(parser, ' ') || next_is(parser, '\n') || next_is(parser, '\t') ||
	       next_is(parser, '\r'))
		parser->at++;
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* true, false, null, or whatever else somebody wrote without quotes. */
static bool parse_word(struct parser *parser)
{
	struct slice word = {parser->at, 0};
	struct slice quote;

	while (word.at + word.len < parser->end && is_word_byte(word.at[word.len]))
		word.len++;
	if (slice_is(word, "true") || slice_is(word, "false") || slice_is(word, "null")) {
		parser->at += word.len;
		return put(parser, word.at, word.len);
	}
	if (word.len == 0)
		return fail(parser, word.at,
			    "a value is expected, found %s; write null, true, false, a number, "
			    "a text in double quotes, a list or an object",
			    found_at(parser, word.at).text);
	quote = cut(word);
	return fail(parser, word.at,
		    "'%.*s' is not a value; write null, true, false, a number or a text in "
		    "double quotes",
		    SLICE_ARG(quote));
}

static bool skip_digits(struct parser *parser, const char *after)
{
	if (!next_is_digit(parser))
		return fail(parser, parser->at, "a digit is expected %s, found %s", after,
			    found_at(parser, parser->at).text);
	while (next_is_digit(parser))
		parser->at++;
	return true;
}

static bool parse_number(struct parser *parser)
{
	const char *from = parser->at;

	if (next_is(parser, '-'))
		parser->at++;
	if (next_is(parser, '0')) {
		parser->at++;
		if (next_is_digit(parser))
			return fail(parser, from,
				    "a number does not begin with 0; remove the leading zeros");
	} else if (!skip_digits(parser, "after '-'")) {
		return false;
	}
	if (next_is(parser, '.')) {
		parser->at++;
		if (!skip_digits(parser, "after the point"))
			return false;
	}
	if (next_is(parser, 'e') || next_is(parser, 'E')) {
		parser->at++;
		if (next_is(parser, '+') || next_is(parser, '-'))
			parser->at++;
		if (!skip_digits(parser, "in the exponent"))
			return false;
	}
	return put(parser, from, (size_t)(parser->at - from));
}

static bool fail_escape(struct parser *parser)
{
	const char *at = parser->at;
	size_t left = (size_t)(parser->end - at);
	size_t n_digits = 0;

	if (left < 2 || at[1] != 'u')
		return fail(parser, at,
			    "'\\' is followed by %s; write \\\\ for a backslash itself",
			    found_at(parser, at + 1).text);
	while (n_digits < 4 && n_digits + 2 < left &&
	       strchr("0123456789abcdefABCDEF", at[n_digits + 2]) && at[n_digits + 2])
		n_digits++;
	if (n_digits < 4)
		return fail(parser, at, "\\u needs four hexadecimal digits, found %s",
			    found_at(parser, at + 2 + n_digits).text);
	return fail(parser, at,
		    "half of a surrogate pair; write the character itself or both "
		    "halves");
}

static bool parse_escape(struct parser *parser)
{
	struct slice rest = {parser->at, (size_t)(parser->end - parser->at)};
	char normal[JSON_ESCAPE_MAX];
	size_t len, source_len;
	uint32_t code_point;

	source_len = json_unescape(rest, &code_point);
	if (source_len == 0)
		return fail_escape(parser);
	if (code_point < 0x80 && json_must_escape((char)code_point))
		len = json_escape((char)code_point, normal);
	else
		len = utf8_encode(code_point, normal);
	if (!put(parser, normal, len))
		return false;
	parser->at += source_len;
	return true;
}

/* As many characters as stand there without an escape, which may be none. */
static bool parse_plain(struct parser *parser)
{
	const char *from = parser->at;
	const char *at = from;
	uint32_t code_point;

	while (at < parser->end && !json_must_escape(*at)) {
		size_t len = 1;

		if ((unsigned char)*at >= 0x80)
			len = utf8_decode((struct slice){at, (size_t)(parser->end - at)},
					  &code_point);
		if (len == 0)
			return fail(parser, at,
				    "byte 0x%02x is not UTF-8; save the text as UTF-8",
				    (unsigned char)*at);
		at += len;
	}
	parser->at = at;
	return put(parser, from, (size_t)(at - from));
}

static bool parse_text(struct parser *parser)
{
	const char *from = parser->at;

	if (!take(parser))
		return false;
	for (;;) {
		if (!parse_plain(parser))
			return false;
		if (next_is(parser, '"'))
			return take(parser);
		if (parser->at == parser->end)
			return fail(parser, from,
				    "the text that begins here has no end; add a double quote");
		if (*parser->at != '\\')
			return fail(parser, parser->at,
				    "a control character inside a text; write it as \\u%04x",
				    (unsigned int)*parser->at);
		if (!parse_escape(parser))
			return false;
	}
}

/* Take the opening bracket. */
static bool open_level(struct parser *parser)
{
	if (parser->depth == JSON_DEPTH_MAX)
		return fail(parser, parser->at,
			    "more than %d lists and objects inside each other; make it flatter",
			    JSON_DEPTH_MAX);
	parser->depth++;
	if (!take(parser))
		return false;
	skip_space(parser);
	return true;
}

static bool close_level(struct parser *parser)
{
	parser->depth--;
	return take(parser);
}

/* After an element or a member: a comma with another one behind it, or the
 * closing bracket, which is left for close_level(). */
static bool parse_separator(struct parser *parser, char close)
{
	const char *comma;

	skip_space(parser);
	if (next_is(parser, close))
		return true;
	comma = parser->at;
	if (!next_is(parser, ','))
		return fail(parser, comma, "',' or '%c' is expected, found %s", close,
			    found_at(parser, comma).text);
	if (!take(parser))
		return false;
	skip_space(parser);
	if (next_is(parser, close))
		return fail(parser, comma, "nothing follows the comma; remove it");
	return true;
}

static bool parse_list(struct parser *parser)
{
	if (!open_level(parser))
		return false;
	while (!next_is(parser, ']'))
		if (!parse_value(parser) || !parse_separator(parser, ']'))
			return false;
	return close_level(parser);
}

static bool keep_name(struct parser *parser, struct json_name name)
{
	size_t more = parser->names_max * 2;
	struct json_name *grown;

	if (parser->n_names == parser->names_max) {
		grown = arena_array(&parser->scratch, more, sizeof *grown);
		if (!grown) {
			parser->err = diag_set(parser->diag, ERR_NOMEM,
					       "out of memory while reading JSON");
			return false;
		}
		memcpy(grown, parser->names, parser->n_names * sizeof *grown);
		parser->names = grown;
		parser->names_max = more;
	}
	parser->names[parser->n_names++] = name;
	return true;
}

static bool parse_member(struct parser *parser)
{
	const char *source = parser->at;
	size_t from = parser->len + 1;
	struct json_name name;

	if (!next_is(parser, '"'))
		return fail(parser, source, "a name in double quotes is expected, found %s",
			    found_at(parser, source).text);
	if (!parse_text(parser))
		return false;
	name = (struct json_name){{parser->out + from, parser->len - 1 - from}, source};
	if (!keep_name(parser, name))
		return false;
	skip_space(parser);
	if (!next_is(parser, ':'))
		return fail(parser, parser->at, "':' is expected after a name, found %s",
			    found_at(parser, parser->at).text);
	return take(parser) && parse_value(parser);
}

/* The first name of an object that an earlier one equals, or NULL. The names
 * may change places. */
static const struct json_name *find_repeated(struct json_name *names, size_t n)
{
	const struct json_name *first = NULL;

	if (n <= PAIRWISE_MAX) {
		for (size_t i = 1; i < n; i++)
			for (size_t j = 0; j < i; j++)
				if (slice_equal(names[i].text, names[j].text))
					return &names[i];
		return NULL;
	}
	json_sort_names(names, n);
	for (size_t i = 1; i < n; i++)
		if (slice_equal(names[i].text, names[i - 1].text) &&
		    (!first || names[i].place < first->place))
			first = &names[i];
	return first;
}

static bool parse_object(struct parser *parser)
{
	size_t n_outside = parser->n_names;
	const struct json_name *repeated;
	struct slice quote;

	if (!open_level(parser))
		return false;
	while (!next_is(parser, '}'))
		if (!parse_member(parser) || !parse_separator(parser, '}'))
			return false;
	repeated = find_repeated(parser->names + n_outside, parser->n_names - n_outside);
	if (repeated) {
		quote = cut(repeated->text);
		return fail(parser, repeated->place,
			    "the name \"%.*s\" was given before in this object; remove one",
			    SLICE_ARG(quote));
	}
	parser->n_names = n_outside;
	return close_level(parser);
}

static bool parse_value(struct parser *parser)
{
	skip_space(parser);
	if (next_is(parser, '{'))
		return parse_object(parser);
	if (next_is(parser, '['))
		return parse_list(parser);
	if (next_is(parser, '"'))
		return parse_text(parser);
	if (next_is(parser, '-') || next_is_digit(parser))
		return parse_number(parser);
	return parse_word(parser);
}

static bool parse_document(struct parser *parser)
{
	if (!parse_value(parser))
		return false;
	skip_space(parser);
	if (parser->at < parser->end)
		return fail(
			parser, parser->at,
			"the end is expected after the value, found %s; remove what follows",
			found_at(parser, parser->at).text);
	return true;
}

enum err json_parse(struct slice text, size_t max, struct arena *arena, struct json *out,
		    struct diag *diag)
{
	const char *begin = text.at ? text.at : "";
	struct parser parser = {.begin = begin,
				.at = begin,
				.end = begin + text.len,
				.capacity = text.len < max ? text.len : max,
				.names_max = NAMES_FEW,
				.diag = diag};
	bool parsed;

	parser.names = parser.few;
	parser.out = arena_alloc(arena, parser.capacity + 1); /* zeroed: it is terminated */
	if (!parser.out)
		return diag_set(diag, ERR_NOMEM, "out of memory while reading JSON");
	parsed = parse_document(&parser);
	arena_release(&parser.scratch);
	if (!parsed)
		return parser.err;
	out->text = (struct slice){parser.out, parser.len};
	return OK;
}

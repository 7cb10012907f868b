#include "orchestrator/load/scalar.h"

#include "base/decimal.h"
#include "base/utf8.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The same word, whatever the case of its letters. */
static bool is_word(struct slice text, const char *lower)
{
	size_t i = 0;

	for (; i < text.len && lower[i]; i++) {
		char c = text.at[i];

		if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != lower[i])
			return false;
	}
	return i == text.len && !lower[i];
}

static bool is_among(struct slice text, const char *const *words)
{
	for (; *words; words++) {
		if (is_word(text, *words))
			return true;
	}
	return false;
}

static struct slice from(struct slice text, size_t n)
{
	return (struct slice){text.at + n, text.len - n};
}

/* How many of the first characters are among those given. */
static size_t span(struct slice text, const char *characters)
{
	size_t n = 0;

	while (n < text.len && text.at[n] && strchr(characters, text.at[n]))
		n++;
	return n;
}

/* 0x1F, 0o17, 0b101 */
static bool is_based(struct slice text)
{
	static const struct {
		char letter;
		const char *digits;
	} bases[] = {{'x', "0123456789abcdefABCDEF_"}, {'o', "01234567_"}, {'b', "01_"}};

	if (text.len < 3 || text.at[0] != '0')
		return false;
	for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
		if (text.at[1] == bases[i].letter)
			return span(from(text, 2), bases[i].digits) == text.len - 2;
	}
	return false;
}

/* 190:20:30: to YAML 1.1 a number of base sixty */
static bool is_sexagesimal(struct slice text)
{
	size_t n = span(text, "0123456789_");
	bool colon = false;

	if (n == 0 || !is_digit(text.at[0]))
		return false;
	while (n < text.len && text.at[n] == ':') {
		struct slice part = from(text, n + 1);
		size_t digits = span(part, "0123456789");

		if (digits == 0 || digits > 2 || (digits == 2 && part.at[0] > '5'))
			return false;
		colon = true;
		n += 1 + digits;
	}
	if (n < text.len && text.at[n] == '.')
		n += 1 + span(from(text, n + 1), "0123456789_");
	return colon && n == text.len;
}

/* 1_000, 012, .5, 5., 1.e3 */
static bool is_loose_decimal(struct slice text)
{
	size_t whole = span(text, "0123456789_"), part = 0, n = whole;
	bool digit = whole > 0 && is_digit(text.at[0]);

	if (whole > 0 && !digit)
		return false;
	if (n < text.len && text.at[n] == '.') {
		part = span(from(text, n + 1), "0123456789_");
		digit |= part > 0 && is_digit(text.at[n + 1]);
		n += 1 + part;
	}
	if (!digit)
		return false;
	if (n < text.len && (text.at[n] == 'e' || text.at[n] == 'E')) {
		n++;
		n += n < text.len && (text.at[n] == '+' || text.at[n] == '-');
		part = span(from(text, n), "0123456789");
		if (part == 0)
			return false;
		n += part;
	}
	return n == text.len;
}

static bool is_ambiguous(struct slice text)
{
	static const char *const words[] = {"true", "false", "null", NULL};
	static const char *const special[] = {".inf", ".nan", NULL};
	struct slice magnitude = text;

	if (is_among(text, words))
		return true;
	if (text.len > 0 && (text.at[0] == '+' || text.at[0] == '-'))
		magnitude = from(text, 1);
	return is_among(magnitude, special) || is_based(magnitude) ||
	       is_sexagesimal(magnitude) || is_loose_decimal(magnitude);
}

enum scalar scalar_type(const struct yaml_node *scalar)
{
	struct slice text = scalar->text;
	struct decimal number;

	if (text.len > 0 && text.at[0] == '=')
		return SCALAR_EXPRESSION;
	if (!scalar->plain)
		return SCALAR_TEXT;
	if (text.len == 0 || slice_is(text, "~") || slice_is(text, "null"))
		return SCALAR_NULL;
	if (slice_is(text, "true") || slice_is(text, "false"))
		return SCALAR_BOOL;
	if (decimal_parse(text, &number) != DECIMAL_NOT_A_NUMBER)
		return SCALAR_NUMBER;
	return is_ambiguous(text) ? SCALAR_AMBIGUOUS : SCALAR_TEXT;
}

const char *node_text(const struct yaml_node *node)
{
	if (node->kind == YAML_LIST)
		return "a list";
	if (node->kind == YAML_MAPPING)
		return "a mapping";
	switch (scalar_type(node)) {
	case SCALAR_NULL: return "nothing";
	case SCALAR_BOOL: return "a boolean";
	case SCALAR_NUMBER: return "a number";
	case SCALAR_TEXT: return "a text";
	case SCALAR_EXPRESSION: return "an expression";
	case SCALAR_AMBIGUOUS: return "something between a number and a text";
	}
	return "";
}

/* --- writing ------------------------------------------------------------------ */

static bool plain_character(uint32_t c)
{
	if (c < 0x7f)
		return c >= ' ';
	return c > 0xa0 && c != 0x2028 && c != 0x2029 && c != 0xfeff &&
	       (c < 0xfff0 || c > 0xffff);
}

bool scalar_plain(struct slice text)
{
	static const char *const words[] = {"true", "false", "null", "yes", "no",
					    "on",   "off",   "y",    "n",   NULL};
	char first = text.len ? text.at[0] : '\0';
	char before = '\0';
	size_t at = 0;

	if (!is_letter(first) && first != '_' && first != '/' && first != '=' &&
	    (unsigned char)first < 0x80)
		return false;
	while (at < text.len) {
		char c = text.at[at];
		uint32_t code_point = 0;

		at += utf8_decode(from(text, at), &code_point);
		if (!plain_character(code_point) || (before == ':' && c == ' ') ||
		    (before == ' ' && c == '#'))
			return false;
		before = c;
	}
	return before != ' ' && before != ':' && !is_among(text, words);
}

/* --- versions ----------------------------------------------------------------- */

static bool is_number_part(struct slice part)
{
	return part.len > 0 && span(part, "0123456789") == part.len &&
	       (part.len == 1 || part.at[0] != '0');
}

static bool is_identifier(struct slice part)
{
	for (size_t i = 0; i < part.len; i++) {
		if (!is_digit(part.at[i]) && !is_letter(part.at[i]) && part.at[i] != '-')
			return false;
	}
	return part.len > 0;
}

/* Parts between points; numbers among them may not begin with a zero where they
 * are compared. */
static bool parts_valid(struct slice text, bool compared)
{
	for (;;) {
		const char *point = memchr(text.at, '.', text.len);
		struct slice part = {text.at, point ? (size_t)(point - text.at) : text.len};

		if (!is_identifier(part))
			return false;
		if (compared && span(part, "0123456789") == part.len && !is_number_part(part))
			return false;
		if (!point)
			return true;
		text = from(text, part.len + 1);
	}
}

bool version_valid(struct slice text)
{
	struct slice rest = text;
	size_t n;

	for (int i = 0; i < 3; i++) {
		n = span(rest, "0123456789");
		if (!is_number_part((struct slice){rest.at, n}))
			return false;
		rest = from(rest, n);
		if (i < 2) {
			if (rest.len == 0 || rest.at[0] != '.')
				return false;
			rest = from(rest, 1);
		}
	}
	if (rest.len > 0 && rest.at[0] == '-') {
		const char *plus = memchr(rest.at, '+', rest.len);

		n = plus ? (size_t)(plus - rest.at) : rest.len;
		if (!parts_valid((struct slice){rest.at + 1, n - 1}, true))
			return false;
		rest = from(rest, n);
	}
	return rest.len == 0 || (rest.at[0] == '+' && parts_valid(from(rest, 1), false));
}

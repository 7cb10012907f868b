#include "orchestrator/core/expression_token.h"

#include "base/utf8.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_part(char c)
{
	return is_name_start(c) || is_digit(c);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char at(struct slice text, size_t index)
{
	return index < text.len ? text.at[index] : '\0';
}

bool member_name_plain(struct slice name)
{
	if (!is_name_start(at(name, 0)))
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!is_name_part(name.at[i]))
			return false;
	return true;
}

/* Columns count characters, whatever lines the text was folded from. */
static void skip(struct lexer *lexer, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lexer->place.column += ((unsigned char)lexer->rest.at[i] & 0xc0) != 0x80;
	lexer->rest.at += n;
	lexer->rest.len -= n;
}

static size_t name_length(struct slice rest, bool hyphens)
{
	size_t n = 1;

	while (n < rest.len && (is_name_part(rest.at[n]) || (hyphens && rest.at[n] == '-')))
		n++;
	return n;
}

static size_t digits_length(struct slice rest, size_t from)
{
	size_t n = from;

	while (is_digit(at(rest, n)))
		n++;
	return n - from;
}

static void scan_number(struct slice rest, struct token *token)
{
	size_t n = digits_length(rest, 0);

	token->kind = TOKEN_NUMBER;
	if (n > 1 && rest.at[0] == '0')
		token->wrong = "a number does not begin with 0; leave the zero out";
	if (at(rest, n) == '.') {
		size_t decimals = digits_length(rest, n + 1);

		if (decimals == 0)
			token->wrong = "a number needs digits behind its point";
		n += 1 + decimals;
	}
	if (is_name_part(at(rest, n)))
		token->wrong = "a number is digits, with a point if need be; put an operator "
			       "between it and what follows";
	token->text.len = n;
	if (token->wrong)
		token->kind = TOKEN_WRONG;
}

static void scan_quoted(struct slice rest, struct token *token)
{
	char quote = rest.at[0];
	size_t n = 1;

	token->kind = quote == '\'' ? TOKEN_TEXT : TOKEN_QUOTED;
	for (; n < rest.len; n++) {
		if (rest.at[n] != quote)
			continue;
		if (at(rest, n + 1) != quote) {
			token->text.len = n + 1;
			return;
		}
		n++;
	}
	token->kind = TOKEN_WRONG;
	token->wrong = "this quote is not closed; a quote inside a text is doubled";
	token->text.len = 1;
}

static const struct mark {
	const char *text;
	enum token_kind kind;
	enum operation op;
} marks[] = {
	/* The longer before what they begin with. */
	{"||", TOKEN_OPERATION, OP_OR},
	{"&&", TOKEN_OPERATION, OP_AND},
	{"==", TOKEN_OPERATION, OP_EQUAL},
	{"!=", TOKEN_OPERATION, OP_NOT_EQUAL},
	{"<=", TOKEN_OPERATION, OP_LESS_EQUAL},
	{"<", TOKEN_OPERATION, OP_LESS},
	{">=", TOKEN_OPERATION, OP_GREATER_EQUAL},
	{">", TOKEN_OPERATION, OP_GREATER},
	{"+", TOKEN_OPERATION, OP_ADD},
	{"-", TOKEN_OPERATION, OP_SUBTRACT},
	{"*", TOKEN_OPERATION, OP_MULTIPLY},
	{"/", TOKEN_OPERATION, OP_DIVIDE},
	{"%", TOKEN_OPERATION, OP_REMAINDER},
	{"!", TOKEN_NOT, OP_OR},
	{"=", TOKEN_EQUALS, OP_OR},
	{".", TOKEN_POINT, OP_OR},
	{",", TOKEN_COMMA, OP_OR},
	{"(", TOKEN_OPEN, OP_OR},
	{")", TOKEN_CLOSE, OP_OR},
	{"[", TOKEN_OPEN_BRACKET, OP_OR},
	{"]", TOKEN_CLOSE_BRACKET, OP_OR},
};

static void scan_mark(struct slice rest, struct token *token)
{
	uint32_t code_point;

	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		struct slice mark = slice_of(marks[i].text);

		if (rest.len < mark.len || memcmp(rest.at, mark.at, mark.len) != 0)
			continue;
		token->kind = marks[i].kind;
		token->op = marks[i].op;
		token->text.len = mark.len;
		return;
	}
	token->kind = TOKEN_WRONG;
	token->text.len = utf8_decode(rest, &code_point);
	if (rest.at[0] == '&')
		token->wrong = "& is not an operator; write && for `and`";
	else if (rest.at[0] == '|')
		token->wrong = "| is not an operator; write || for `or`";
	else if (rest.at[0] == '$' || rest.at[0] == '{' || rest.at[0] == '}')
		token->wrong = "$, { and } mean nothing here; write the bare name, as in "
			       "input.total";
	else
		token->wrong = "this character means nothing here; a text stands in 'quotes'";
}

struct token lexer_next(struct lexer *lexer)
{
	struct token token = {.kind = TOKEN_END};
	bool hyphens = !lexer->after_point;
	size_t spaces = 0;

	while (is_space(at(lexer->rest, spaces)))
		spaces++;
	skip(lexer, spaces);
	token.place = lexer->place;
	token.text = (struct slice){lexer->rest.at, 0};
	if (lexer->rest.len == 0)
		return token;
	if (is_name_start(lexer->rest.at[0])) {
		token.kind = TOKEN_NAME;
		token.text.len = name_length(lexer->rest, hyphens);
	} else if (is_digit(lexer->rest.at[0])) {
		scan_number(lexer->rest, &token);
	} else if (lexer->rest.at[0] == '\'' || lexer->rest.at[0] == '"') {
		scan_quoted(lexer->rest, &token);
	} else {
		scan_mark(lexer->rest, &token);
	}
	lexer->after_point = token.kind == TOKEN_POINT;
	skip(lexer, token.text.len);
	return token;
}

bool token_unquote(const struct token *token, struct arena *arena, struct slice *out)
{
	struct slice inside = {token->text.at + 1, token->text.len - 2};
	char quote = token->text.at[0];
	char *copy = arena_alloc(arena, inside.len + 1);
	size_t n = 0;

	if (!copy)
		return false;
	for (size_t i = 0; i < inside.len; i++) {
		copy[n++] = inside.at[i];
		if (inside.at[i] == quote)
			i++;
	}
	*out = (struct slice){copy, n};
	return true;
}

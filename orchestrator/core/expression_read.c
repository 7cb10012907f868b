/* expression_read.c - the parser: by recursive descent, one function a level. */
#include "base/utf8.h"
#include "orchestrator/core/expression_token.h"

#define SYNTAX "expression-syntax"

struct parser {
	struct lexer lexer;
	struct token token; /* the one to look at */
	unsigned depth;
	struct arena *arena;
	struct problems *problems;
};

static struct node *parse_chain(struct parser *parser, enum level level);

static void advance(struct parser *parser)
{
	parser->token = lexer_next(&parser->lexer);
}

static void *allocate(struct parser *parser, size_t size)
{
	void *memory = arena_alloc(parser->arena, size);

	if (!memory)
		parser->problems->nomem = true;
	return memory;
}

static struct node *new_node(struct parser *parser, enum node_kind kind, struct place place)
{
	struct node *node = allocate(parser, sizeof *node);

	if (node) {
		node->kind = kind;
		node->place = place;
	}
	return node;
}

/* --- mistakes ----------------------------------------------------------------- */

/* Words that other languages have for our operators. */
static const char *word_hint(struct slice word)
{
	static const char *const words[][2] = {
		{"and", "; write && for `and`"},
		{"or", "; write || for `or`"},
		{"not", "; write ! for `not`"},
		{"=", "; write == to compare"},
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (slice_is(word, words[i][0]))
			return words[i][1];
	return "";
}

/* The token cannot stand here: say so, and what could. */
static void *unexpected(struct parser *parser, const char *expected)
{
	const struct token *token = &parser->token;

	if (token->kind == TOKEN_WRONG)
		problem_add(parser->problems, SEVERITY_ERROR, token->place, SYNTAX, "%s",
			    token->wrong);
	else if (token->kind == TOKEN_END)
		problem_add(parser->problems, SEVERITY_ERROR, token->place, SYNTAX,
			    "the expression ends too early; %s is missing", expected);
	else if (token->kind == TOKEN_QUOTED)
		problem_add(parser->problems, SEVERITY_ERROR, token->place, SYNTAX,
			    "double quotes are only for names in brackets; write a text in "
			    "single quotes");
	else
		problem_add(parser->problems, SEVERITY_ERROR, token->place, SYNTAX,
			    "unexpected %.*s where %s should stand%s", SLICE_ARG(token->text),
			    expected, word_hint(token->text));
	return NULL;
}

static bool accept(struct parser *parser, enum token_kind kind)
{
	if (parser->token.kind != kind)
		return false;
	advance(parser);
	return true;
}

static bool enter(struct parser *parser)
{
	if (parser->depth < EXPRESSION_DEPTH_MAX) {
		parser->depth++;
		return true;
	}
	problem_add(parser->problems, SEVERITY_ERROR, parser->token.place,
		    "expression-too-deep",
		    "parentheses, calls and signs nest more than %d deep; move a part of the "
		    "expression into a step of its own",
		    EXPRESSION_DEPTH_MAX);
	return false;
}

/* --- literals ----------------------------------------------------------------- */

static struct node *literal_node(struct parser *parser, struct place place, struct value value)
{
	struct node *node = new_node(parser, NODE_LITERAL, place);

	if (node)
		node->literal = value;
	return node;
}

/* Give the number its source, so that writing it needs no more work. */
static bool set_number(struct parser *parser, struct value *value, struct decimal number)
{
	char text[DECIMAL_TEXT_MAX];
	struct slice written = {text, decimal_format(number, text)};

	*value = (struct value){.type = JSON_NUMBER, .decoded = true, .number = number};
	if (arena_copy(parser->arena, written, &value->source.text))
		return true;
	parser->problems->nomem = true;
	return false;
}

static struct node *parse_number(struct parser *parser, bool negative)
{
	struct token token = parser->token;
	struct bytes text = BYTES(EXPRESSION_TEXT_MAX + 1, parser->arena);
	struct decimal number = {0};
	struct value value;

	if (negative)
		bytes_add(&text, '-');
	bytes_append(&text, token.text);
	if (text.err) {
		parser->problems->nomem = true;
		return NULL;
	}
	if (decimal_parse(bytes_slice(&text), &number) != DECIMAL_OK) {
		problem_add(parser->problems, SEVERITY_ERROR, token.place, SYNTAX,
			    "this number does not fit; numbers have 64 bits and at most %d "
			    "digits behind the point",
			    DECIMAL_SCALE_MAX);
		return NULL;
	}
	advance(parser);
	if (!set_number(parser, &value, number))
		return NULL;
	return literal_node(parser, token.place, value);
}

static struct node *text_node(struct parser *parser, struct place place,
			      struct slice characters)
{
	/* Six bytes is the longest that a character's byte becomes in JSON. */
	struct bytes json = BYTES(6 * characters.len + 2, parser->arena);

	json_write_text(&json, characters);
	if (json.err) {
		parser->problems->nomem = true;
		return NULL;
	}
	return literal_node(parser, place,
			    (struct value){.type = JSON_TEXT,
					   .decoded = true,
					   .source = {bytes_slice(&json)},
					   .text = characters});
}

static struct node *parse_text(struct parser *parser)
{
	struct token token = parser->token;
	struct slice characters;

	if (!token_unquote(&token, parser->arena, &characters)) {
		parser->problems->nomem = true;
		return NULL;
	}
	advance(parser);
	return text_node(parser, token.place, characters);
}

/* --- paths and calls ---------------------------------------------------------- */

static bool parse_index(struct parser *parser, struct segment *segment)
{
	enum { DIGITS_MAX = 9 };
	struct slice digits = parser->token.text;

	if (memchr(digits.at, '.', digits.len) || digits.len > DIGITS_MAX) {
		problem_add(parser->problems, SEVERITY_ERROR, parser->token.place, SYNTAX,
			    "an index is a whole number of at most %d digits, counted from 0",
			    DIGITS_MAX);
		return false;
	}
	segment->is_index = true;
	for (size_t i = 0; i < digits.len; i++)
		segment->index = segment->index * 10 + (uint32_t)(digits.at[i] - '0');
	return true;
}

static bool parse_bracket(struct parser *parser, struct segment *segment)
{
	if (parser->token.kind == TOKEN_TEXT) {
		problem_add(parser->problems, SEVERITY_ERROR, parser->token.place, SYNTAX,
			    "a name in brackets stands in double quotes; write [\"...\"]");
		return false;
	}
	if (parser->token.kind == TOKEN_NUMBER) {
		if (!parse_index(parser, segment))
			return false;
	} else if (parser->token.kind != TOKEN_QUOTED) {
		return unexpected(parser, "an index or a name in double quotes");
	} else if (!token_unquote(&parser->token, parser->arena, &segment->name)) {
		parser->problems->nomem = true;
		return false;
	}
	advance(parser);
	if (!accept(parser, TOKEN_CLOSE_BRACKET))
		return unexpected(parser, "]");
	return true;
}

static struct segment *parse_segment(struct parser *parser)
{
	struct segment *segment = allocate(parser, sizeof *segment);

	if (!segment)
		return NULL;
	if (accept(parser, TOKEN_OPEN_BRACKET)) {
		segment->place = parser->token.place;
		return parse_bracket(parser, segment) ? segment : NULL;
	}
	advance(parser);
	segment->place = parser->token.place;
	if (parser->token.kind != TOKEN_NAME)
		return unexpected(parser, "a name");
	if (!arena_copy(parser->arena, parser->token.text, &segment->name)) {
		parser->problems->nomem = true;
		return NULL;
	}
	advance(parser);
	return segment;
}

static bool at_segment(const struct parser *parser)
{
	return parser->token.kind == TOKEN_POINT || parser->token.kind == TOKEN_OPEN_BRACKET;
}

/* Whatever stands behind a value: (a.b)[0] is the path a.b[0]. */
static struct node *parse_segments(struct parser *parser, struct node *value)
{
	struct node *node = value;
	struct segment **end;

	if (!node || !at_segment(parser))
		return node;
	if (node->kind != NODE_PATH) {
		node = new_node(parser, NODE_PATH, value->place);
		if (!node)
			return NULL;
		node->path.base = value;
	}
	for (end = &node->path.segments; *end;)
		end = &(*end)->next;
	while (at_segment(parser)) {
		*end = parse_segment(parser);
		if (!*end)
			return NULL;
		end = &(*end)->next;
	}
	return node;
}

static struct node *parse_arguments(struct parser *parser, struct node *call)
{
	struct operand **end = &call->arguments;

	if (accept(parser, TOKEN_CLOSE))
		return call;
	for (;;) {
		*end = allocate(parser, sizeof **end);
		if (!*end)
			return NULL;
		(*end)->node = parse_chain(parser, LEVEL_OR);
		if (!(*end)->node)
			return NULL;
		end = &(*end)->next;
		call->n_arguments++;
		if (accept(parser, TOKEN_CLOSE))
			return call;
		if (!accept(parser, TOKEN_COMMA))
			return unexpected(parser, "an operator, a comma or )");
	}
}

static struct node *parse_call(struct parser *parser, struct token name)
{
	struct node *call = new_node(parser, NODE_CALL, name.place);

	if (!call)
		return NULL;
	for (call->function = 0; call->function < FUNCTION_UNKNOWN; call->function++)
		if (slice_is(name.text, functions[call->function].name))
			break;
	if (!arena_copy(parser->arena, name.text, &call->function_name)) {
		parser->problems->nomem = true;
		return NULL;
	}
	if (!enter(parser))
		return NULL;
	advance(parser);
	call = parse_arguments(parser, call);
	parser->depth--;
	return call;
}

static struct node *parse_name(struct parser *parser)
{
	struct token name = parser->token;
	struct value value = {.decoded = true};
	struct node *node;

	advance(parser);
	if (parser->token.kind == TOKEN_OPEN)
		return parse_call(parser, name);
	if (slice_is(name.text, "true") || slice_is(name.text, "false")) {
		value.type = JSON_BOOL;
		value.boolean = name.text.at[0] == 't';
		value.source.text = slice_of(value.boolean ? "true" : "false");
		return literal_node(parser, name.place, value);
	}
	if (slice_is(name.text, "null")) {
		value.type = JSON_NULL;
		value.source.text = slice_of("null");
		return literal_node(parser, name.place, value);
	}
	node = new_node(parser, NODE_PATH, name.place);
	if (node && !arena_copy(parser->arena, name.text, &node->path.first)) {
		parser->problems->nomem = true;
		return NULL;
	}
	return node;
}

/* --- operators ---------------------------------------------------------------- */

static struct node *parse_parentheses(struct parser *parser)
{
	struct node *node;

	if (!enter(parser))
		return NULL;
	advance(parser);
	node = parse_chain(parser, LEVEL_OR);
	parser->depth--;
	if (node && !accept(parser, TOKEN_CLOSE))
		return unexpected(parser, "an operator or )");
	return node;
}

static struct node *parse_value(struct parser *parser)
{
	switch (parser->token.kind) {
	case TOKEN_NUMBER: return parse_number(parser, false);
	case TOKEN_TEXT: return parse_text(parser);
	case TOKEN_NAME: return parse_name(parser);
	case TOKEN_OPEN: return parse_parentheses(parser);
	default: return unexpected(parser, "a value");
	}
}

/* A minus before a number is part of it, also across parentheses: so the
 * smallest integer can be written, and -(5) has the normal form -5. */
static struct node *negate(struct parser *parser, struct node *operand, struct place place)
{
	struct node *node;
	struct decimal number;

	if (operand->kind == NODE_LITERAL && operand->literal.type == JSON_NUMBER &&
	    operand->literal.number.coefficient >= 0 &&
	    decimal_negate(operand->literal.number, &number) == DECIMAL_OK) {
		operand->place = place;
		return set_number(parser, &operand->literal, number) ? operand : NULL;
	}
	node = new_node(parser, NODE_NEGATE, place);
	if (node)
		node->operand = operand;
	return node;
}

static struct node *parse_sign(struct parser *parser)
{
	struct place place = parser->token.place;
	bool minus = parser->token.kind != TOKEN_NOT;
	struct node *operand;
	struct node *node;

	advance(parser);
	if (minus && parser->token.kind == TOKEN_NUMBER) {
		node = parse_number(parser, true);
		if (node)
			node->place = place;
		return node;
	}
	operand = parse_chain(parser, LEVEL_UNARY);
	if (!operand)
		return NULL;
	if (minus)
		return negate(parser, operand, place);
	node = new_node(parser, NODE_NOT, place);
	if (node)
		node->operand = operand;
	return node;
}

static struct node *parse_unary(struct parser *parser)
{
	struct node *node;

	if (parser->token.kind != TOKEN_NOT &&
	    (parser->token.kind != TOKEN_OPERATION || parser->token.op != OP_SUBTRACT))
		return parse_segments(parser, parse_value(parser));
	if (!enter(parser))
		return NULL;
	node = parse_sign(parser);
	parser->depth--;
	return node;
}

/* Whether the node's operands may stand in a chain of that level without
 * changing what it means: (a + b) + c always, a + (b + c) only where the
 * operator is associative and evaluates in order. */
static bool can_splice(const struct node *node, enum level level, bool is_first)
{
	return node->kind == NODE_CHAIN && node->level == level &&
	       (is_first || level == LEVEL_OR || level == LEVEL_AND);
}

/* Put one more operand at the end of a chain; returns the new end. */
static struct operand **append(struct parser *parser, struct operand **end, enum level level,
			       const struct token *operation, struct node *node, bool is_first)
{
	struct operand *operand;

	if (can_splice(node, level, is_first)) {
		*end = node->operands;
		operand = *end;
	} else {
		operand = allocate(parser, sizeof *operand);
		if (!operand)
			return NULL;
		operand->node = node;
		*end = operand;
	}
	if (!is_first) {
		operand->op = operation->op;
		operand->place = operation->place;
	}
	while (operand->next)
		operand = operand->next;
	return &operand->next;
}

static bool at_operation(const struct parser *parser, enum level level)
{
	return parser->token.kind == TOKEN_OPERATION &&
	       operation_texts[parser->token.op].level == level;
}

static struct node *parse_chain(struct parser *parser, enum level level)
{
	struct node *first;
	struct node *chain;
	struct operand **end;

	if (level == LEVEL_UNARY)
		return parse_unary(parser);
	first = parse_chain(parser, level + 1);
	if (!first || !at_operation(parser, level))
		return first;
	chain = new_node(parser, NODE_CHAIN, first->place);
	if (!chain)
		return NULL;
	chain->level = level;
	end = append(parser, &chain->operands, level, NULL, first, true);
	while (end && at_operation(parser, level)) {
		struct token operation = parser->token;
		struct node *node;

		advance(parser);
		node = parse_chain(parser, level + 1);
		if (!node)
			return NULL;
		end = append(parser, end, level, &operation, node, false);
	}
	return end ? chain : NULL;
}

/* =='...' is how a YAML text that begins with `=` is written: the rest of it in
 * quotes, with or without the `=` itself. */
static struct node *parse_equals_text(struct parser *parser)
{
	struct place place = parser->token.place;
	struct bytes text = BYTES(EXPRESSION_TEXT_MAX, parser->arena);
	struct node *node;

	advance(parser);
	if (parser->token.kind != TOKEN_TEXT)
		return unexpected(parser, "a text in quotes, as in =='=text',");
	node = parse_text(parser);
	if (!node)
		return NULL;
	if (node->literal.text.len == 0 || node->literal.text.at[0] != '=')
		bytes_add(&text, '=');
	bytes_append(&text, node->literal.text);
	if (text.err) {
		parser->problems->nomem = true;
		return NULL;
	}
	return text_node(parser, place, bytes_slice(&text));
}

struct node *expression_read(struct slice text, struct place place, struct arena *arena,
			     struct problems *problems)
{
	struct parser parser = {
		.lexer = {.rest = text, .place = place}, .arena = arena, .problems = problems};
	struct node *node;

	if (!utf8_valid(text)) {
		problem_add(problems, SEVERITY_ERROR, place, SYNTAX,
			    "the expression is not UTF-8; save the file as UTF-8");
		return NULL;
	}
	advance(&parser);
	if (parser.token.kind == TOKEN_EQUALS)
		node = parse_equals_text(&parser);
	else
		node = parse_chain(&parser, LEVEL_OR);
	if (node && parser.token.kind != TOKEN_END)
		return unexpected(&parser, "an operator or the end");
	return node;
}

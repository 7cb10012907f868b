#include "orchestrator/load/yaml_comments.h"

#include <yaml.h>

struct scanner {
	struct slice text;
	struct arena *arena;
	struct yaml_comment *first;
	struct yaml_comment **end;
	struct yaml_comment *waiting; /* the first that is about what comes next */
	bool begun;                   /* something other than a comment was met */

	/* libyaml counts characters: how far the text was counted. */
	size_t characters;
	size_t bytes;
};

/* Marks come in order. */
static size_t bytes_at(struct scanner *scanner, yaml_mark_t mark)
{
	const struct slice *text = &scanner->text;

	while (scanner->characters < mark.index && scanner->bytes < text->len) {
		do
			scanner->bytes++;
		while (scanner->bytes < text->len &&
		       ((unsigned char)text->at[scanner->bytes] & 0xc0) == 0x80);
		scanner->characters++;
	}
	return scanner->bytes;
}

static bool begins(struct slice text, size_t at, const char *with)
{
	size_t len = strlen(with);

	return text.len - at >= len && memcmp(text.at + at, with, len) == 0;
}

size_t yaml_break(struct slice text, size_t at)
{
	static const char *const breaks[] = {"\r\n",     "\n",           "\r",
					     "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};

	for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
		if (begins(text, at, breaks[i]))
			return strlen(breaks[i]);
	}
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t line_end(const struct scanner *scanner, size_t at, size_t end)
{
	while (at < end && !yaml_break(scanner->text, at))
		at++;
	return at;
}

/* Whether only blanks stand before it on its line. */
static bool stands_alone(const struct scanner *scanner, size_t at)
{
	while (at > 0 && is_blank(scanner->text.at[at - 1]))
		at--;
	for (size_t len = 1; len <= 3 && len <= at; len++) {
		if (yaml_break(scanner->text, at - len) == len)
			return true;
	}
	return at == 0;
}

static bool add(struct scanner *scanner, size_t at, size_t end, uint32_t line)
{
	struct yaml_comment *comment = arena_alloc(scanner->arena, sizeof *comment);

	if (!comment)
		return false;
	while (is_blank(scanner->text.at[end - 1]))
		end--;
	comment->text = (struct slice){scanner->text.at + at, end - at};
	comment->line = line;
	comment->alone = stands_alone(scanner, at);
	comment->about = comment->alone ? 0 : line;
	*scanner->end = comment;
	scanner->end = &comment->next;
	if (comment->alone && !scanner->waiting)
		scanner->waiting = comment;
	return true;
}

/* An empty line before anything else: the comments so far are about the file. */
static void set_off_top(struct scanner *scanner)
{
	if (scanner->begun)
		return;
	for (struct yaml_comment *comment = scanner->first; comment; comment = comment->next)
		comment->at_top = true;
	scanner->waiting = NULL;
}

/* Find the comments between two tokens, of which the former ended on `line`. */
static bool scan_gap(struct scanner *scanner, size_t at, size_t end, uint32_t line)
{
	bool empty = at == 0; /* nothing was met on this line yet */

	while (at < end) {
		size_t taken = yaml_break(scanner->text, at);

		if (scanner->text.at[at] == '#') {
			size_t stop = line_end(scanner, at, end);

			if (!add(scanner, at, stop, line))
				return false;
			empty = false;
			at = stop;
			continue;
		}
		if (taken) {
			if (empty)
				set_off_top(scanner);
			empty = true;
			line++;
		}
		at += taken ? taken : 1;
	}
	return true;
}

/* Whether the token is part of the data; what only frames it is dropped. */
static bool is_content(const yaml_token_t *token)
{
	return token->type != YAML_DOCUMENT_START_TOKEN &&
	       token->type != YAML_DOCUMENT_END_TOKEN &&
	       token->type != YAML_VERSION_DIRECTIVE_TOKEN;
}

/* A comment behind | or > is to libyaml a part of the scalar. */
static bool scan_block_header(struct scanner *scanner, const yaml_token_t *token, size_t at,
			      size_t end)
{
	size_t stop = line_end(scanner, at, end);

	if (token->type != YAML_SCALAR_TOKEN ||
	    (token->data.scalar.style != YAML_LITERAL_SCALAR_STYLE &&
	     token->data.scalar.style != YAML_FOLDED_SCALAR_STYLE))
		return true;
	while (at < stop && scanner->text.at[at] != '#')
		at++;
	return at == stop || add(scanner, at, stop, (uint32_t)token->start_mark.line + 1);
}

static void begin_content(struct scanner *scanner, uint32_t line)
{
	scanner->begun = true;
	for (struct yaml_comment *comment = scanner->waiting; comment;
	     comment = comment->next) {
		if (comment->alone)
			comment->about = line;
	}
	scanner->waiting = NULL;
}

static enum err scan(struct scanner *scanner, yaml_parser_t *parser)
{
	size_t gap = 0;
	uint32_t line = 1;

	for (;;) {
		yaml_token_t token;
		size_t from, to;
		bool ended, fine = true;

		if (!yaml_parser_scan(parser, &token))
			return parser->error == YAML_MEMORY_ERROR ? ERR_NOMEM : ERR_INVALID;
		ended = token.type == YAML_STREAM_END_TOKEN;
		from = ended ? scanner->text.len : bytes_at(scanner, token.start_mark);
		to = ended ? from : bytes_at(scanner, token.end_mark);
		if (to > from || ended) {
			fine = scan_gap(scanner, gap, from, line);
			if (fine && is_content(&token) && !ended)
				begin_content(scanner, (uint32_t)token.start_mark.line + 1);
			fine = fine && scan_block_header(scanner, &token, from, to);
			gap = to;
			line = (uint32_t)token.end_mark.line + 1;
		}
		yaml_token_delete(&token);
		if (!fine)
			return ERR_NOMEM;
		if (ended)
			return OK;
	}
}

enum err yaml_comments(struct slice text, struct arena *arena, struct yaml_comment **out)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct scanner scanner = {.arena = arena};
	yaml_parser_t parser;
	enum err err;

	*out = NULL;
	if (text.len >= 3 && memcmp(text.at, byte_order_mark, 3) == 0)
		text = (struct slice){text.at + 3, text.len - 3};
	scanner.text = text;
	scanner.end = &scanner.first;
	if (!yaml_parser_initialize(&parser))
		return ERR_NOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)(text.at ? text.at : ""),
				     text.len);
	err = scan(&scanner, &parser);
	yaml_parser_delete(&parser);
	if (!err)
		*out = scanner.first;
	return err;
}

/* expression_token.h - the words of an expression: private to the parser. */
#ifndef SKALD_CORE_EXPRESSION_TOKEN_H
#define SKALD_CORE_EXPRESSION_TOKEN_H

#include "orchestrator/core/expression_node.h"

enum token_kind {
	TOKEN_END,
	TOKEN_NUMBER,
	TOKEN_NAME,
	TOKEN_TEXT,   /* 'text' */
	TOKEN_QUOTED, /* "name" */
	TOKEN_OPERATION,
	TOKEN_NOT,
	TOKEN_EQUALS, /* a lone = */
	TOKEN_POINT,
	TOKEN_COMMA,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_OPEN_BRACKET,
	TOKEN_CLOSE_BRACKET,
	TOKEN_WRONG, /* `wrong` says why */
};

struct token {
	enum token_kind kind;
	enum operation op; /* TOKEN_OPERATION */
	struct slice text; /* as written, quotes included */
	struct place place;
	const char *wrong;
};

struct lexer {
	struct slice rest;
	struct place place; /* of the rest */
	bool after_point;   /* a name is a member's: it ends at a hyphen */
};

/* The next token; TOKEN_END again and again at the end. The text is UTF-8. */
struct token lexer_next(struct lexer *lexer);

/* Whether the name can stand behind a point as it is. */
bool member_name_plain(struct slice name);

/* The characters between the quotes, doubled quotes halved; false: no memory. */
bool token_unquote(const struct token *token, struct arena *arena, struct slice *out);

#endif

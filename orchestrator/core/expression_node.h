/* expression_node.h - the inside of an expression: private to the files
 * expression*.c, evaluate*.c, value.c and template.c of this folder.
 *
 * What the grammar repeats is a list and not a tree: a + b - c + ... is one
 * chain, .a.b[0]... is one path. A walk over the nodes recurses only where the
 * source nests, at most EXPRESSION_DEPTH_MAX times with at most LEVEL_POSTFIX
 * nodes each, and runs along a chain in a loop, however long it is.
 */
#ifndef SKALD_CORE_EXPRESSION_NODE_H
#define SKALD_CORE_EXPRESSION_NODE_H

#include "orchestrator/core/expression.h"

/* How tightly a node binds: the loosest first. */
enum level {
	LEVEL_OR,
	LEVEL_AND,
	LEVEL_EQUALITY,
	LEVEL_ORDER,
	LEVEL_SUM,
	LEVEL_PRODUCT,
	LEVEL_UNARY,
	LEVEL_POSTFIX,
};

enum operation {
	OP_OR,
	OP_AND,
	OP_EQUAL,
	OP_NOT_EQUAL,
	OP_LESS,
	OP_LESS_EQUAL,
	OP_GREATER,
	OP_GREATER_EQUAL,
	OP_ADD,
	OP_SUBTRACT,
	OP_MULTIPLY,
	OP_DIVIDE,
	OP_REMAINDER,
};

struct operation_text {
	const char *text;
	enum level level;
};

extern const struct operation_text operation_texts[]; /* by enum operation */

enum function_id {
	FUNCTION_IF,
	FUNCTION_HAS,
	FUNCTION_SIZE,
	FUNCTION_STRING,
	FUNCTION_INT,
	FUNCTION_LOWER,
	FUNCTION_UPPER,
	FUNCTION_JOIN,
	FUNCTION_UNKNOWN,
};

struct function {
	const char *name;
	const char *arguments; /* for messages */
	size_t n_arguments;
};

extern const struct function functions[]; /* by enum function_id */

/* A part of a path behind its first name. */
struct segment {
	bool is_index;
	struct slice name; /* otherwise */
	uint32_t index;
	struct place place;
	uint32_t text_end; /* in the normal form: where the path up to here ends */
	struct segment *next;
};

struct path {
	struct node *base;  /* what it starts from, or NULL: from a name */
	struct slice first; /* the name as written */
	struct segment *segments;
	struct name name;            /* what `first` and the segments before `rest` stand for */
	struct segment *rest;        /* where the value of the name is entered */
	bool resolved;               /* otherwise a mistake was added */
	const struct schema *schema; /* of where it leads; NULL: not known */
	uint32_t text_start;         /* in the normal form */
	uint32_t text_first_end;
};

/* One of a chain's operands or a call's arguments. */
struct operand {
	enum operation op;  /* before it; not of the first one, not in a call */
	struct place place; /* of the operator */
	struct node *node;
	struct operand *next;
};

/* Certain knowledge: the first n segments of the path lead to a value that is
 * there and not null. */
struct fact {
	const struct path *path;
	size_t n;
	const struct fact *next;
};

struct facts {
	bool never; /* it does not come out like this at all */
	const struct fact *list;
};

enum node_kind { NODE_LITERAL, NODE_PATH, NODE_NOT, NODE_NEGATE, NODE_CALL, NODE_CHAIN };

struct node {
	enum node_kind kind;
	struct place place;

	/* Filled in by the check. */
	type_set types;
	bool exact; /* where it is a number, it is within the exact range */
	bool can_fail;
	struct facts facts[2]; /* what is certain once it has come out false, true */

	union {
		struct value literal;
		struct path path;
		struct node *operand; /* of NODE_NOT and NODE_NEGATE */
		struct {
			enum function_id function;
			struct slice function_name;
			struct operand *arguments;
			size_t n_arguments;
		};
		struct {
			enum level level; /* of all its operators */
			struct operand *operands;
		};
	};
};

/* The text as a tree, or NULL: a syntax error was added, or no memory. */
struct node *expression_read(struct slice text, struct place place, struct arena *arena,
			     struct problems *problems);

/* Append the normal form, and note in the paths where they stand in it. */
void expression_format(struct bytes *out, struct node *root);

/* Resolve names and find out types in a tree that was formatted; add every
 * mistake. Fills in all but the root and the text of the expression. */
void expression_check(struct node *root, const struct scope *scope, struct arena *arena,
		      struct problems *problems, struct expression *expression);

/* Where in the normal form the path up to before `segment` ends; NULL: all of it. */
struct slice path_text(struct slice normal, const struct path *path,
		       const struct segment *segment);

/* --- facts -------------------------------------------------------------------- */

/* NULL: no memory; the list is then only shorter than it could be. */
const struct fact *facts_add(const struct fact *list, const struct path *path, size_t n,
			     struct arena *arena, bool *nomem);

/* Both are certain; only what both say is certain. */
struct facts facts_both(struct facts a, struct facts b, struct arena *arena, bool *nomem);
struct facts facts_either(struct facts a, struct facts b, struct arena *arena, bool *nomem);

/* What the first n segments of the path may lead to, as far as the facts say;
 * 0 where they say nothing. */
type_set facts_types(const struct fact *list, const struct path *path, size_t n);

bool facts_has_step(const struct fact *list, uint32_t step);

/* --- values ------------------------------------------------------------------- */

/* The value of a JSON text, not decoded: set in place, since this is what the
 * engine does most. */
void value_set(struct value *value, struct json json);

static inline bool value_has_source(const struct value *value)
{
	return value->source.text.len > 0;
}

/* Equality over all values but two texts, which may have to be decoded. */
bool value_equal(const struct value *a, const struct value *b);

#endif

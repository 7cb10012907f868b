/* expression.h - the small language behind `=`.
 *
 * Expressions are typed, total and exact: no loops, no recursion, no clock, no
 * rounding. They are parsed and checked once, when a definition is loaded, and
 * evaluated over a saga's values without any I/O. An expression that fails at
 * run time says why and where, and never quotes a value: it may be masked.
 *
 *     if(has(quote.out), quote.out.total, input.total) > 10000 && input.vip
 *
 * Semantics that the grammar of the language page leaves open: numbers are one
 * type, exact decimals (7 / 2 is 3.5, 1 / 3 is an error, int(3.5) is 3); `%`
 * needs whole numbers; `+` adds numbers or joins texts, nothing else; < and the
 * like compare two numbers or two texts (by code point); == compares anything;
 * && || ! and the condition of if() need booleans. string() takes a number, a
 * boolean, null or a text; int() a number (towards zero) or a text that is a
 * whole number. size() counts elements, members or characters. has(path) is
 * true where every part of the path exists and the value is not null. lower()
 * and upper() change the letters A to Z only. join() takes a list of what
 * string() takes. saga.key is a text.
 *
 * A text is written in single quotes and a name in brackets in double quotes; a
 * quote inside is doubled. The first name of a path may contain hyphens, as a
 * step's name does; behind a point a hyphen is a minus (a["b-c"] names b-c).
 * `=='…'` in YAML is a text that begins with `=`, which may be left out inside.
 */
#ifndef SKALD_CORE_EXPRESSION_H
#define SKALD_CORE_EXPRESSION_H

#include "base/problems.h"
#include "orchestrator/core/schema.h"

enum {
	EXPRESSION_TEXT_MAX = 4096, /* bytes of source */
	EXPRESSION_DEPTH_MAX = 32,  /* parentheses, calls, unary operators */
	STEPS_MAX = 256,            /* steps that a definition may have */
	INSTANCES_MAX = 4096,       /* that a saga may have, with those of all elements */
};

/* What the first name of a path stands for. */
enum root {
	ROOT_INPUT,
	ROOT_STEP_OUT, /* STEP.out */
	ROOT_SAGA_ID,
	ROOT_SAGA_KEY,
	ROOT_SAGA_NAME,
	ROOT_SAGA_STARTED_AT,
	ROOT_ELEMENT,      /* the element of the `each` around, by the name that `as` gives */
	ROOT_FAILURE_STEP, /* saga.failure.*: undo arguments only */
	ROOT_FAILURE_CODE,
	ROOT_FAILURE_MESSAGE,
};

struct name {
	enum root root;
	uint32_t step; /* ROOT_STEP_OUT */
	bool all;      /* it stands in an `each`: the list of its outputs, by element */
};

/* A set of steps, by index. */
struct step_set {
	uint64_t bits[STEPS_MAX / 64];
};

static inline bool step_set_has(const struct step_set *set, uint32_t step)
{
	return set->bits[step / 64] >> (step % 64) & 1;
}

static inline void step_set_add(struct step_set *set, uint32_t step)
{
	set->bits[step / 64] |= (uint64_t)1 << (step % 64);
}

/* --- parsing and checking --------------------------------------------------- */

/* How sure it is that a step's output is there where the expression stands. */
enum availability {
	AVAILABLE,       /* the step is certainly done */
	AVAILABLE_MAYBE, /* it may be skipped, ignored, in doubt: has() must guard it */
	AVAILABLE_LIST,  /* certainly a list: one output for each element, or null */
	AVAILABLE_LIST_MAYBE,
	AVAILABLE_NOT,      /* it cannot have run: later, another branch, or itself */
	AVAILABLE_NO_OUTPUT /* a step of a form that has no output */
};

/* What may be named. */
struct scope {
	const struct schema *input; /* never NULL; schema_any where nothing is known */
	bool failure;               /* saga.failure may be named */
	bool key;                   /* saga.key may be named (not in `key` itself) */
	struct slice element;       /* what the element is called; empty: there is none */
	const struct schema *element_schema;

	/* Find a step by name and say how sure its output is here. False: no such
	 * step. NULL: no step may be named. */
	bool (*find_step)(void *context, struct slice name, uint32_t *step,
			  enum availability *availability);
	/* Names of steps for "did you mean"; may be NULL. */
	const char *const *step_names;
	size_t n_step_names;
	void *context;

	struct step_set present; /* outputs that a guard further out makes sure of */
};

/* One mention of a step's output, in the order of the text. What has() asks for
 * counts as guarded. */
struct reference {
	uint32_t step;
	bool guarded; /* by has() in the expression or by scope.present */
	bool all;     /* see struct name */
};

struct node; /* private: expression_node.h */

struct expression {
	const struct node *root;
	type_set types;              /* what the value may be */
	bool can_fail;               /* evaluation may end in an error other than "too large" */
	const struct schema *schema; /* of the value; schema_any where nothing is known */
	const struct reference *references;
	size_t n_references;
	struct slice text;  /* normal form, without the `=` */
	struct place place; /* where it stands: set by expression_parse */
};

/* Parse `text` (what follows the `=`), which stands at `place`, and check it.
 * Every mistake goes to `problems`; NULL is returned if there was an error, or
 * no memory (problems->nomem). The expression lives in the arena; nothing of
 * `text` is kept.
 *
 * Codes: expression-syntax, expression-type, expression-too-long,
 * expression-too-deep, unknown-name, unknown-function, wrong-arguments,
 * unknown-step, step-not-run, step-maybe-missing, no-output.
 */
const struct expression *expression_parse(struct slice text, struct place place,
					  const struct scope *scope, struct arena *arena,
					  struct problems *problems);

/* The steps whose outputs are certainly there once the expression has come out
 * as `value`: has(a.out) && b makes sure of a where it is true. */
void expression_facts(const struct expression *expression, bool value, struct step_set *facts);

/* What an expression has to do with a part of a value, the input or an `each`'s element,
 * that a path leads to: names with points between them, where a list stands for all of
 * its elements. */
enum part_read {
	READS_NOTHING,
	READS_AROUND, /* it is a value that contains the part, passed on as it is */
	READS_IT,     /* its value is, or depends on, the part or something in it */
};
enum part_read expression_reads(const struct expression *expression, enum root of,
				struct slice path);

/* READS_AROUND: the path from its value to the part. */
struct slice expression_rest(const struct expression *expression, struct slice path);

/* --- evaluating -------------------------------------------------------------- */

/* What an expression came to. A value that is only passed on stays a slice of
 * the JSON in which it came, letter for letter; it is decoded where an operator
 * needs it. What an operator made is decoded and has no source. */
struct value {
	enum json_type type;
	bool decoded;       /* the union holds; always so for a boolean */
	struct json source; /* empty for a result; lists and objects always have one */
	union {
		bool boolean;
		struct slice text; /* characters, without quotes and escapes */
		struct decimal number;
	};
};

/* The characters of a text; false when out of memory. */
bool value_text(const struct value *value, struct arena *arena, struct slice *out);

/* The number of a number, or why it cannot be exact. */
enum decimal_result value_number(const struct value *value, struct decimal *out);

struct environment {
	/* The value of a name; false where there is none. */
	bool (*lookup)(const struct environment *environment, struct name name,
		       struct json *out);
};

enum {
	/* Texts and results are at most this long: a payload. */
	PAYLOAD_MAX = 256 * 1024,
	/* All texts together that are made on the way to one result. */
	EVALUATION_TEXT_MAX = 4 * PAYLOAD_MAX,
};

struct failure_text {
	char text[256];  /* "12:34: cannot add a text and a number" */
	struct slice in; /* the expression, which lives as long as the definition; empty: it
			  * is about none */
};

/* Both, as people are told: "12:34: division by zero, in =1 / input.n". The place is that of
 * the definition as it was loaded, which may be its normal form. Terminated, in the arena;
 * false: out of memory. */
CHECKED bool failure_tell(const struct failure_text *failure, struct arena *arena,
			  struct slice *out);

/* OK, ERR_INVALID with the failure's text (`failure` may be NULL), or ERR_NOMEM.
 * The failure names the line and column in the definition, and never a value.
 * The stack that it takes has a bound that does not depend on the length of the
 * expression, only on EXPRESSION_DEPTH_MAX. */
CHECKED enum err expression_evaluate(const struct expression *expression,
				     const struct environment *environment, struct arena *arena,
				     struct value *out, struct failure_text *failure);

/* Append the value as JSON. */
void value_write(struct bytes *out, const struct value *value);

#endif

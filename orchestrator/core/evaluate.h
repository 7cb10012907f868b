/* evaluate.h - one evaluation under way: private to evaluate*.c and
 * template.c.
 */
#ifndef SKALD_CORE_EVALUATE_H
#define SKALD_CORE_EVALUATE_H

#include "orchestrator/core/expression_node.h"

/* Of one expression, or of all in a template: they share the room for texts. */
struct evaluation {
	const struct environment *environment;
	struct arena *arena;
	struct failure_text *failure; /* may be NULL */
	size_t room;                  /* for texts that are still to be made */
	const struct expression *expression;
};

CHECKED enum err evaluation_run(struct evaluation *evaluation,
				const struct expression *expression, struct value *out);

/* A plain function of values: all but if() and has(). */
CHECKED enum err function_call(struct evaluation *evaluation, const struct node *call,
			       const struct value *arguments, struct value *out);

/* --- failures: each hands back ERR_INVALID ------------------------------------- */

/* "LINE:COLUMN: SUBJECT SENTENCE", the subject cut where it is long. */
CHECKED enum err evaluation_fail(struct evaluation *evaluation, struct place place,
				 struct slice subject, const char *sentence);

/* "WHO needs WANTED, not a TYPE" */
CHECKED enum err evaluation_fail_type(struct evaluation *evaluation, struct place place,
				      const char *who, const char *wanted, enum json_type type);

/* "cannot VERB an A and a B" */
CHECKED enum err evaluation_fail_pair(struct evaluation *evaluation, struct place place,
				      const char *verb, enum json_type a, enum json_type b);
CHECKED enum err evaluation_fail_number(struct evaluation *evaluation, struct place place,
					enum decimal_result result);
CHECKED enum err evaluation_fail_size(struct evaluation *evaluation, struct place place);

/* --- texts --------------------------------------------------------------------- */

struct value value_of_text(struct slice characters);

/* The characters of a text value. */
CHECKED enum err evaluation_text(struct evaluation *evaluation, struct place place,
				 const struct value *value, struct slice *out);

/* Count a text that is made against the room. */
CHECKED enum err evaluation_take(struct evaluation *evaluation, struct place place, size_t len);

/* Append to a text that is being made. */
CHECKED enum err evaluation_append(struct evaluation *evaluation, struct place place,
				   struct bytes *out, struct slice more);

#endif

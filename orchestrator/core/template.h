/* template.h - JSON with expressions in it: the `with` of a command.
 *
 * A template is a tree of literals, objects, lists and expressions in the
 * definition's arena. Evaluating it gives JSON text in normal form.
 */
#ifndef SKALD_CORE_TEMPLATE_H
#define SKALD_CORE_TEMPLATE_H

#include "orchestrator/core/expression.h"

enum template_kind { TEMPLATE_LITERAL, TEMPLATE_EXPRESSION, TEMPLATE_OBJECT, TEMPLATE_LIST };

struct template_entry {
	struct slice name; /* of an object's member, as characters */
	const struct template *value;
};

struct template
{
	enum template_kind kind;
	struct json literal;                  /* TEMPLATE_LITERAL, in normal form */
	const struct expression *expression;  /* TEMPLATE_EXPRESSION */
	const struct template_entry *entries; /* TEMPLATE_OBJECT and TEMPLATE_LIST */
	size_t n_entries;
};

/* The result lives in the arena and is at most PAYLOAD_MAX bytes, nested at most
 * JSON_DEPTH_MAX deep; all its expressions share EVALUATION_TEXT_MAX.
 * OK, ERR_INVALID with the failure's text, or ERR_NOMEM. */
CHECKED enum err template_evaluate(const struct template *template,
				   const struct environment *environment, struct arena *arena,
				   struct json *out, struct failure_text *failure);

/* Whether evaluating it can fail at run time other than by "too large". */
bool template_can_fail(const struct template *template);

/* Call for every expression in it, in order. */
void template_each(const struct template *template,
		   void (*visit)(void *context, const struct expression *expression),
		   void *context);

#endif

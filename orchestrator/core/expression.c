#include "orchestrator/core/expression.h"

#include "orchestrator/core/expression_node.h"

const struct operation_text operation_texts[] = {
	[OP_OR] = {"||", LEVEL_OR},
	[OP_AND] = {"&&", LEVEL_AND},
	[OP_EQUAL] = {"==", LEVEL_EQUALITY},
	[OP_NOT_EQUAL] = {"!=", LEVEL_EQUALITY},
	[OP_LESS] = {"<", LEVEL_ORDER},
	[OP_LESS_EQUAL] = {"<=", LEVEL_ORDER},
	[OP_GREATER] = {">", LEVEL_ORDER},
	[OP_GREATER_EQUAL] = {">=", LEVEL_ORDER},
	[OP_ADD] = {"+", LEVEL_SUM},
	[OP_SUBTRACT] = {"-", LEVEL_SUM},
	[OP_MULTIPLY] = {"*", LEVEL_PRODUCT},
	[OP_DIVIDE] = {"/", LEVEL_PRODUCT},
	[OP_REMAINDER] = {"%", LEVEL_PRODUCT},
};

const struct function functions[] = {
	[FUNCTION_IF] = {"if", "condition, value, otherwise", 3},
	[FUNCTION_HAS] = {"has", "path", 1},
	[FUNCTION_SIZE] = {"size", "value", 1},
	[FUNCTION_STRING] = {"string", "value", 1},
	[FUNCTION_INT] = {"int", "value", 1},
	[FUNCTION_LOWER] = {"lower", "text", 1},
	[FUNCTION_UPPER] = {"upper", "text", 1},
	[FUNCTION_JOIN] = {"join", "list, separator", 2},
};

static void add_too_long(struct problems *problems, struct place place, const char *what)
{
	problem_add(problems, SEVERITY_ERROR, place, "expression-too-long",
		    "%s is longer than %d bytes; move a part of it into a step of its own",
		    what, EXPRESSION_TEXT_MAX);
}

/* The normal form has the limit of the source, so that it can be loaded again. */
static bool set_text(struct expression *expression, struct node *root, struct place place,
		     struct arena *arena, struct problems *problems)
{
	struct bytes text = BYTES(EXPRESSION_TEXT_MAX, arena);

	expression_format(&text, root);
	if (text.err == ERR_TOO_LARGE)
		add_too_long(problems, place, "the normal form of the expression");
	else if (text.err)
		problems->nomem = true;
	expression->text = bytes_slice(&text);
	return !text.err;
}

const struct expression *expression_parse(struct slice text, struct place place,
					  const struct scope *scope, struct arena *arena,
					  struct problems *problems)
{
	size_t n_errors = problems->n_errors;
	struct expression *expression;
	struct node *root;

	if (text.len > EXPRESSION_TEXT_MAX) {
		add_too_long(problems, place, "the expression");
		return NULL;
	}
	expression = arena_alloc(arena, sizeof *expression);
	if (!expression) {
		problems->nomem = true;
		return NULL;
	}
	expression->place = place;
	root = expression_read(text, place, arena, problems);
	if (!root || !set_text(expression, root, place, arena, problems))
		return NULL;
	expression_check(root, scope, arena, problems, expression);
	if (problems->nomem || problems->n_errors != n_errors)
		return NULL;
	expression->root = root;
	return expression;
}

void expression_facts(const struct expression *expression, bool value, struct step_set *facts)
{
	struct facts known = expression->root->facts[value];

	*facts = (struct step_set){{0}};
	for (const struct fact *fact = known.list; fact; fact = fact->next)
		if (fact->path->name.root == ROOT_STEP_OUT)
			step_set_add(facts, fact->path->name.step);
}

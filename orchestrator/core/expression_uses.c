#include "orchestrator/core/expression_uses.h"

#include "orchestrator/core/expression_check.h"

struct walk {
	expression_used *visit;
	void *context;
};

static void walk_node(const struct walk *walk, const struct node *node, type_set wanted,
		      const struct value *beside);

static bool fill_path(const struct path *path, struct expression_use *use)
{
	if (path->base || !path->resolved)
		return false;
	*use = (struct expression_use){.name = path->name};
	for (const struct segment *at = path->rest; at && use->n_parts < USE_PARTS_MAX;
	     at = at->next)
		use->parts[use->n_parts++] = (struct use_part){at->is_index, at->name};
	return true;
}

static void walk_path(const struct walk *walk, const struct path *path, type_set wanted,
		      const struct value *beside)
{
	struct expression_use use;

	if (path->base)
		walk_node(walk, path->base, TYPE_ANY, NULL);
	if (!fill_path(path, &use))
		return;
	use.types = wanted;
	use.beside = beside;
	walk->visit(walk->context, &use);
}

/* What the other operands of the chain may be, as far as that is known. */
static type_set others(const struct node *chain, const struct operand *but)
{
	type_set types = TYPE_ANY;

	for (const struct operand *at = chain->operands; at; at = at->next)
		if (at != but && types & at->node->types)
			types &= at->node->types;
	return types;
}

static const struct value *literal_beside(const struct node *chain, const struct operand *but)
{
	for (const struct operand *at = chain->operands; at; at = at->next)
		if (at != but && at->node->kind == NODE_LITERAL)
			return &at->node->literal;
	return NULL;
}

static type_set wanted_of(const struct node *chain, const struct operand *operand)
{
	type_set sides = others(chain, operand);

	switch (chain->level) {
	case LEVEL_OR:
	case LEVEL_AND: return TYPES_BOOL;
	case LEVEL_EQUALITY: return sides;
	case LEVEL_ORDER: return sides == TYPES_TEXT ? TYPES_TEXT : TYPES_NUMBER;
	case LEVEL_SUM:
		for (const struct operand *at = chain->operands; at; at = at->next)
			if (at != operand && at->node->types == TYPES_TEXT)
				return TYPES_TEXT;
		return TYPES_NUMBER;
	case LEVEL_PRODUCT:
	case LEVEL_UNARY:
	case LEVEL_POSTFIX: return TYPES_NUMBER;
	}
	return TYPE_ANY;
}

static void walk_chain(const struct walk *walk, const struct node *chain)
{
	bool compares = chain->level == LEVEL_EQUALITY || chain->level == LEVEL_ORDER;

	for (const struct operand *at = chain->operands; at; at = at->next)
		walk_node(walk, at->node, wanted_of(chain, at),
			  compares ? literal_beside(chain, at) : NULL);
}

static void walk_call(const struct walk *walk, const struct node *call, type_set wanted)
{
	size_t n = 0;

	for (const struct operand *at = call->arguments; at; at = at->next, n++) {
		type_set types = TYPE_ANY;

		switch (call->function) {
		case FUNCTION_IF: types = n == 0 ? TYPES_BOOL : wanted; break;
		case FUNCTION_SIZE: types = TYPES_LIST; break;
		case FUNCTION_STRING: types = TYPES_NUMBER | TYPES_TEXT; break;
		case FUNCTION_INT: types = TYPES_NUMBER; break;
		case FUNCTION_LOWER:
		case FUNCTION_UPPER: types = TYPES_TEXT; break;
		case FUNCTION_JOIN: types = n == 0 ? TYPES_LIST : TYPES_TEXT; break;
		case FUNCTION_HAS:
		case FUNCTION_UNKNOWN: break;
		}
		walk_node(walk, at->node, types, NULL);
	}
}

static void walk_node(const struct walk *walk, const struct node *node, type_set wanted,
		      const struct value *beside)
{
	switch (node->kind) {
	case NODE_LITERAL: return;
	case NODE_PATH: walk_path(walk, &node->path, wanted, beside); return;
	case NODE_NOT: walk_node(walk, node->operand, TYPES_BOOL, NULL); return;
	case NODE_NEGATE: walk_node(walk, node->operand, TYPES_NUMBER, NULL); return;
	case NODE_CALL: walk_call(walk, node, wanted); return;
	case NODE_CHAIN: walk_chain(walk, node); return;
	}
}

void expression_uses(const struct expression *expression, type_set wanted,
		     expression_used *visit, void *context)
{
	const struct walk walk = {visit, context};

	walk_node(&walk, expression->root, wanted, NULL);
}

bool expression_is_path(const struct expression *expression, struct expression_use *out)
{
	return expression->root->kind == NODE_PATH && fill_path(&expression->root->path, out);
}

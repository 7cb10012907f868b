/* expression_check.c - the types of operators and calls, and what a condition
 * makes certain for what is evaluated behind it.
 */
#include "orchestrator/core/expression_check.h"

#define TYPE "expression-type"

/* What a writer can do who has these types and needs those. */
static const char *conversion_hint(type_set types, type_set wanted)
{
	if (wanted == TYPES_BOOL)
		return "compare it with something, as in x == 'yes'";
	if (wanted == TYPES_NUMBER && (types & TYPES_TEXT))
		return "int() makes a whole number of a text";
	if ((wanted & TYPES_TEXT) && (types & TYPES_SCALAR))
		return "string() makes a text of it";
	return "use a value of another type";
}

/* The node must be able to be one of the types wanted; returns whether it may
 * also be another at run time. */
static bool need(struct checker *checker, const struct node *node, type_set wanted,
		 const char *who)
{
	char is[TYPE_SET_TEXT_MAX], needs[TYPE_SET_TEXT_MAX];

	if (node->types & wanted)
		return node->types & ~wanted;
	problem_add(checker->problems, SEVERITY_ERROR, node->place, TYPE,
		    "%s needs %s, but this is %s; %s", who, type_set_text(wanted, needs),
		    type_set_text(node->types, is), conversion_hint(node->types, wanted));
	return true;
}

static struct facts both(struct checker *checker, struct facts a, struct facts b)
{
	return facts_both(a, b, checker->arena, &checker->problems->nomem);
}

static struct facts either(struct checker *checker, struct facts a, struct facts b)
{
	return facts_either(a, b, checker->arena, &checker->problems->nomem);
}

/* Check a node where the facts of a condition are certain, too. */
static void check_under(struct checker *checker, struct node *node, struct facts facts)
{
	const struct fact *outer = checker->facts;

	checker->facts = both(checker, (struct facts){.list = outer}, facts).list;
	check_node(checker, node);
	checker->facts = outer;
}

/* --- chains ------------------------------------------------------------------- */

/* a && b: b is evaluated only where a is true. It comes out true where all are,
 * and false where one of them is; || the other way round. */
static void check_logic(struct checker *checker, struct node *chain)
{
	bool ends = chain->level == LEVEL_OR; /* this value ends the evaluation */
	const struct fact *outer = checker->facts;
	struct facts passed = {0}, ended = {.never = true};

	chain->types = TYPES_BOOL;
	for (struct operand *at = chain->operands; at; at = at->next) {
		struct node *node = at->node;

		check_node(checker, node);
		chain->can_fail |= node->can_fail;
		chain->can_fail |=
			need(checker, node, TYPES_BOOL, chain->level == LEVEL_OR ? "||" : "&&");
		ended = either(checker, ended, node->facts[ends]);
		passed = both(checker, passed, node->facts[!ends]);
		checker->facts = both(checker, (struct facts){.list = checker->facts},
				      node->facts[!ends])
					 .list;
	}
	checker->facts = outer;
	chain->facts[ends] = ended;
	chain->facts[!ends] = passed;
}

static void check_equality(struct checker *checker, struct node *chain)
{
	chain->types = TYPES_BOOL;
	for (struct operand *at = chain->operands; at; at = at->next) {
		check_node(checker, at->node);
		chain->can_fail |= at->node->can_fail;
	}
}

/* Numbers with numbers or texts with texts: what both sides can be. */
static type_set check_alike(struct checker *checker, type_set left, struct place left_place,
			    const struct operand *right)
{
	type_set wanted = TYPES_NUMBER | TYPES_TEXT;
	char a[TYPE_SET_TEXT_MAX], b[TYPE_SET_TEXT_MAX];
	struct node before = {.types = left, .place = left_place};
	const char *op = operation_texts[right->op].text;
	type_set common = left & right->node->types & wanted;

	if (common)
		return common;
	if (!(left & wanted)) {
		need(checker, &before, wanted, op);
	} else if (!(right->node->types & wanted)) {
		need(checker, right->node, wanted, op);
	} else {
		problem_add(checker->problems, SEVERITY_ERROR, right->node->place, TYPE,
			    "%s needs two numbers or two texts, but here are %s and %s; "
			    "string() makes a text of a number, int() a number of a text",
			    op, type_set_text(left, a), type_set_text(right->node->types, b));
	}
	return wanted;
}

/* a < b < c compares a boolean with c: a certain error, found as such. */
static void check_order(struct checker *checker, struct node *chain)
{
	struct node *left = chain->operands->node;
	type_set types;
	bool exact;

	check_node(checker, left);
	chain->can_fail = left->can_fail;
	types = left->types;
	exact = left->exact;
	for (struct operand *at = chain->operands->next; at; at = at->next) {
		struct node *right = at->node;
		type_set common;

		check_node(checker, right);
		common = check_alike(checker, types, left->place, at);
		chain->can_fail |= right->can_fail || types != right->types ||
				   (types != TYPES_NUMBER && types != TYPES_TEXT);
		if (common & TYPES_NUMBER)
			chain->can_fail |= !exact || !right->exact;
		types = TYPES_BOOL;
		exact = true;
	}
	chain->types = TYPES_BOOL;
}

static void check_numbers(struct checker *checker, struct node *chain, struct operand *at)
{
	chain->can_fail = true; /* overflow, zero, a quotient without an end */
	need(checker, at->node, TYPES_NUMBER, operation_texts[at->op].text);
}

static void check_arithmetic(struct checker *checker, struct node *chain)
{
	struct node *first = chain->operands->node;
	type_set types;

	check_node(checker, first);
	chain->can_fail = first->can_fail;
	types = first->types;
	for (struct operand *at = chain->operands->next; at; at = at->next) {
		struct node left = {.types = types, .place = first->place};

		check_node(checker, at->node);
		chain->can_fail |= at->node->can_fail;
		if (at->op == OP_ADD) {
			type_set common = check_alike(checker, types, first->place, at);

			chain->can_fail |= types != TYPES_TEXT || at->node->types != TYPES_TEXT;
			types = common;
			continue;
		}
		need(checker, &left, TYPES_NUMBER, operation_texts[at->op].text);
		check_numbers(checker, chain, at);
		types = TYPES_NUMBER;
	}
	chain->types = types;
}

static void check_chain(struct checker *checker, struct node *chain)
{
	switch (chain->level) {
	case LEVEL_OR:
	case LEVEL_AND: check_logic(checker, chain); break;
	case LEVEL_EQUALITY: check_equality(checker, chain); break;
	case LEVEL_ORDER: check_order(checker, chain); break;
	case LEVEL_SUM:
	case LEVEL_PRODUCT: check_arithmetic(checker, chain); break;
	case LEVEL_UNARY:
	case LEVEL_POSTFIX: break;
	}
	chain->exact = true;
}

/* --- calls -------------------------------------------------------------------- */

static void check_if(struct checker *checker, struct node *call)
{
	struct node *condition = call->arguments->node;
	struct node *yes = call->arguments->next->node;
	struct node *no = call->arguments->next->next->node;

	check_node(checker, condition);
	call->can_fail = need(checker, condition, TYPES_BOOL, "the condition of if()");
	check_under(checker, yes, condition->facts[true]);
	check_under(checker, no, condition->facts[false]);
	call->can_fail |= condition->can_fail || yes->can_fail || no->can_fail;
	call->types = yes->types | no->types;
	call->exact = yes->exact && no->exact;
	if (!(call->types & TYPES_BOOL))
		return;
	for (int value = 0; value < 2; value++)
		call->facts[value] = either(
			checker, both(checker, condition->facts[true], yes->facts[value]),
			both(checker, condition->facts[false], no->facts[value]));
}

static void check_has(struct checker *checker, struct node *call)
{
	struct node *asked = call->arguments->node;
	size_t n = 0;

	call->types = TYPES_BOOL;
	if (asked->kind != NODE_PATH || asked->path.base) {
		problem_add(checker->problems, SEVERITY_ERROR, asked->place, "wrong-arguments",
			    "has() asks for a path, as in has(input.name); give it one");
		return;
	}
	check_path(checker, asked, true);
	for (struct segment *at = asked->path.segments; at; at = at->next)
		n++;
	call->facts[true].list =
		facts_add(NULL, &asked->path, n, checker->arena, &checker->problems->nomem);
}

/* What each argument of a plain function must be, and what comes out. */
static const struct signature {
	const char *name;
	type_set wanted[2];
	type_set result;
} signatures[] = {
	[FUNCTION_SIZE] = {"size()", {TYPES_LIST | TYPES_OBJECT | TYPES_TEXT}, TYPES_NUMBER},
	[FUNCTION_STRING] = {"string()", {TYPES_SCALAR}, TYPES_TEXT},
	[FUNCTION_INT] = {"int()", {TYPES_NUMBER | TYPES_TEXT}, TYPES_NUMBER},
	[FUNCTION_LOWER] = {"lower()", {TYPES_TEXT}, TYPES_TEXT},
	[FUNCTION_UPPER] = {"upper()", {TYPES_TEXT}, TYPES_TEXT},
	[FUNCTION_JOIN] = {"join()", {TYPES_LIST, TYPES_TEXT}, TYPES_TEXT},
};

static void check_plain(struct checker *checker, struct node *call)
{
	const struct signature *signature = &signatures[call->function];
	const type_set *wanted = signature->wanted;

	for (struct operand *at = call->arguments; at; at = at->next) {
		check_node(checker, at->node);
		call->can_fail |= at->node->can_fail;
		call->can_fail |= need(checker, at->node, *wanted++, signature->name);
		if (call->function == FUNCTION_INT)
			call->can_fail |= (at->node->types & TYPES_TEXT) || !at->node->exact;
	}
	call->can_fail |= call->function == FUNCTION_JOIN; /* an element may be a list */
	call->types = signature->result;
}

static const char *suggest_function(struct slice name)
{
	const char *names[FUNCTION_UNKNOWN];

	for (int i = 0; i < FUNCTION_UNKNOWN; i++)
		names[i] = functions[i].name;
	return suggest(name, names, FUNCTION_UNKNOWN);
}

/* A call that is wrong as such: look for further mistakes inside. */
static void check_wrong_call(struct checker *checker, struct node *call)
{
	struct slice name = call->function_name;

	call->types = TYPE_ANY;
	if (call->function == FUNCTION_UNKNOWN) {
		const char *instead = suggest_function(name);

		problem_add(checker->problems, SEVERITY_ERROR, call->place, "unknown-function",
			    "there is no function %.*s(); %s%s%s", SLICE_ARG(name),
			    instead ? "did you mean " : "there are ",
			    instead ? instead
				    : "if, has, size, string, int, lower, upper and join",
			    instead ? "()?" : "");
	} else {
		problem_add(checker->problems, SEVERITY_ERROR, call->place, "wrong-arguments",
			    "%.*s() has %zu argument%s; write %.*s(%s)", SLICE_ARG(name),
			    call->n_arguments, call->n_arguments == 1 ? "" : "s",
			    SLICE_ARG(name), functions[call->function].arguments);
	}
	for (struct operand *at = call->arguments; at; at = at->next)
		check_node(checker, at->node);
}

static void check_call(struct checker *checker, struct node *call)
{
	call->exact = true;
	if (call->function == FUNCTION_UNKNOWN ||
	    call->n_arguments != functions[call->function].n_arguments)
		check_wrong_call(checker, call);
	else if (call->function == FUNCTION_IF)
		check_if(checker, call);
	else if (call->function == FUNCTION_HAS)
		check_has(checker, call);
	else
		check_plain(checker, call);
}

/* --- nodes -------------------------------------------------------------------- */

static void check_literal(struct node *node)
{
	node->types = TYPE_OF(node->literal.type);
	node->exact = true;
	if (node->literal.type == JSON_BOOL)
		node->facts[!node->literal.boolean].never = true;
}

static void check_sign(struct checker *checker, struct node *node)
{
	struct node *operand = node->operand;

	check_node(checker, operand);
	node->exact = true;
	node->types = TYPES_NUMBER;
	node->can_fail = true; /* the smallest integer has no opposite */
	if (node->kind == NODE_NEGATE) {
		need(checker, operand, TYPES_NUMBER, "-");
		return;
	}
	node->types = TYPES_BOOL;
	node->can_fail = operand->can_fail | need(checker, operand, TYPES_BOOL, "!");
	node->facts[false] = operand->facts[true];
	node->facts[true] = operand->facts[false];
}

void check_node(struct checker *checker, struct node *node)
{
	switch (node->kind) {
	case NODE_LITERAL: check_literal(node); return;
	case NODE_PATH: check_path(checker, node, false); return;
	case NODE_NOT:
	case NODE_NEGATE: check_sign(checker, node); return;
	case NODE_CALL: check_call(checker, node); return;
	case NODE_CHAIN: check_chain(checker, node); return;
	}
}

void expression_check(struct node *root, const struct scope *scope, struct arena *arena,
		      struct problems *problems, struct expression *expression)
{
	struct checker checker = {
		.scope = scope, .arena = arena, .problems = problems, .text = expression->text};

	check_node(&checker, root);
	expression->types = root->types;
	expression->schema =
		root->kind == NODE_PATH && root->path.schema ? root->path.schema : &schema_any;
	expression->can_fail = root->can_fail;
	expression->references = checker.references;
	expression->n_references = checker.n_references;
}

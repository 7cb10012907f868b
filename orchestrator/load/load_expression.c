/* load_expression.c - the third pass: everything that is an expression, each with
 * what is known where it stands.
 *
 * Whether a step's output is there is a matter of structure alone: a step is done
 * where a later one of its list, or of a list around, begins; unless it may have
 * been skipped, ignored or timed out. */
#include "orchestrator/load/loader.h"

/* Where an expression stands. */
struct stand {
	struct loader *loader;
	uint32_t step; /* NO_STEP: behind all of them */
	bool undo;     /* in the arguments of its undo */
};

/* Whether the step may end without an output although the saga goes on. */
static bool may_lack_output(const struct draft *draft)
{
	return draft->when || draft->step.ignore_failure || draft->step.await_continue;
}

/* The branch of the parallel step that the step stands in. */
static uint32_t branch_of(const struct loader *loader, const struct step_definition *parallel,
			  uint32_t step)
{
	uint32_t n = 0;

	for (; n < parallel->n_branches; n++) {
		uint32_t last = parallel->branches[n].last;

		if (last != NO_STEP && step < loader->drafts[last].step.end)
			break;
	}
	return n;
}

/* `step` stands before `stand` in the file and does not contain it. */
static enum availability before(const struct loader *loader, uint32_t step,
				const struct stand *stand)
{
	bool maybe = may_lack_output(&loader->drafts[step]);
	uint32_t parent = loader->drafts[step].step.parent;
	const struct step_definition *parallel;
	bool list = false;

	/* Up to the list that both stand in, or the outermost one. */
	while (parent != NO_STEP &&
	       (stand->step == NO_STEP || !step_contains(loader, parent, stand->step))) {
		if (loader->drafts[parent].step.form == FORM_EACH) {
			list = true; /* also of none: what is missing is null in it */
			maybe = false;
		}
		maybe |= may_lack_output(&loader->drafts[parent]);
		step = parent;
		parent = loader->drafts[step].step.parent;
	}
	if (parent != NO_STEP) {
		parallel = &loader->drafts[parent].step;
		if (branch_of(loader, parallel, step) !=
		    branch_of(loader, parallel, stand->step))
			return AVAILABLE_NOT;
	}
	if (list)
		return maybe ? AVAILABLE_LIST_MAYBE : AVAILABLE_LIST;
	return maybe ? AVAILABLE_MAYBE : AVAILABLE;
}

static bool has_output(const struct draft *draft)
{
	return form_commands(draft->step.form) || draft->step.form == FORM_AWAIT;
}

/* An `each` stands for the last of its steps that has an output. Inside it stands for
 * itself, which has none. */
static uint32_t spokesman(const struct loader *loader, uint32_t step, const struct stand *stand)
{
	const struct step_definition *each = &loader->drafts[step].step;
	uint32_t last;

	if (each->form != FORM_EACH || loader->drafts[step].broken || !each->branches)
		return step;
	if (stand->step != NO_STEP && stand->step < each->end)
		return step;
	last = each->branches[0].last;
	while (last != NO_STEP && !has_output(&loader->drafts[last]))
		last = loader->drafts[last].step.previous;
	return last == NO_STEP ? step : last;
}

static enum availability availability(const struct loader *loader, uint32_t step,
				      const struct stand *stand)
{
	const struct draft *draft = &loader->drafts[step];
	enum availability found;

	if (!draft->broken && !has_output(draft))
		return AVAILABLE_NO_OUTPUT;
	if (step == stand->step)
		return stand->undo ? AVAILABLE_MAYBE : AVAILABLE_NOT;
	if (stand->step != NO_STEP && step > stand->step)
		return AVAILABLE_NOT;
	found = before(loader, step, stand);
	/* What is wrong with the step is said where it stands. */
	if (draft->broken && found == AVAILABLE_LIST_MAYBE)
		return AVAILABLE_LIST;
	return draft->broken && found == AVAILABLE_MAYBE ? AVAILABLE : found;
}

static bool find_step(void *context, struct slice name, uint32_t *step,
		      enum availability *found)
{
	const struct stand *stand = context;

	*step = loader_find(stand->loader, name);
	if (*step == NO_STEP)
		return false;
	*step = spokesman(stand->loader, *step, stand);
	*found = availability(stand->loader, *step, stand);
	return true;
}

/* The element of the `each`, and what the list's schema says of it. */
static void name_element(const struct loader *loader, uint32_t each, struct scope *scope)
{
	const struct step_definition *step;

	if (each == NO_STEP)
		return;
	step = &loader->drafts[each].step;
	scope->element = step->as;
	scope->element_schema = step->in ? schema_element(step->in->schema) : &schema_any;
}

static struct scope scope_at(struct stand *stand)
{
	struct loader *loader = stand->loader;
	struct scope scope = {
		.input = loader->definition->input,
		.failure = stand->undo,
		.key = true,
		.find_step = find_step,
		.step_names = loader->step_names,
		.n_step_names = loader->n_names,
		.context = stand,
	};

	if (stand->step != NO_STEP) {
		scope.present = loader->drafts[stand->step].present;
		name_element(loader, loader->drafts[stand->step].step.each, &scope);
	}
	return scope;
}

const struct expression *load_expression(struct loader *loader, const struct yaml_node *node,
					 const struct scope *scope)
{
	struct slice text = {node->text.at + 1, node->text.len - 1};
	struct place place = node->content;
	const struct expression *expression;
	size_t n_errors = loader->problems->n_errors;

	place.column++;
	/* =='=text' is ='=text', for those who read the first = as an escape. */
	if (text.len > 1 && text.at[0] == '=' && text.at[1] == '\'') {
		text = (struct slice){text.at + 1, text.len - 1};
		place.column++;
	}
	expression = expression_parse(text, place, scope, loader->arena, loader->problems);
	if (!expression) {
		loader->nomem |= loader->problems->n_errors == n_errors;
		return NULL;
	}
	if (expression->text.len > EXPRESSION_TEXT_MAX) {
		report(loader->problems, node->place, CODE_TOO_LARGE,
		       "with its blanks in their places this expression has more than %d "
		       "bytes; "
		       "make it shorter",
		       EXPRESSION_TEXT_MAX);
		return NULL;
	}
	return expression;
}

/* An expression that must give one of the types. */
static const struct expression *load_typed(struct loader *loader, const struct yaml_node *node,
					   const struct scope *scope, type_set types,
					   const char *needs)
{
	char given[TYPE_SET_TEXT_MAX];
	const struct expression *expression;

	if (node->broken)
		return NULL;
	if (node->kind != YAML_SCALAR || scalar_type(node) != SCALAR_EXPRESSION) {
		report_type(loader, node, needs);
		return NULL;
	}
	expression = load_expression(loader, node, scope);
	if (!expression || expression->types & types)
		return expression;
	report(loader->problems, node->place, CODE_WRONG_TYPE, "%s; this one gives %s", needs,
	       type_set_text(expression->types, given));
	return NULL;
}

/* --- conditions --------------------------------------------------------------- */

struct watched {
	struct environment base; /* first, so that the two pointers are one */
	bool *asked;
};

static bool lookup_nothing(const struct environment *environment, struct name name,
			   struct json *out)
{
	*((const struct watched *)environment)->asked = true;
	return false;
}

/* Whether the condition is false whatever the saga's values are: evaluating it
 * asks for none. */
static bool is_always_false(struct loader *loader, const struct expression *when)
{
	bool asked = false;
	struct watched watched = {{lookup_nothing}, &asked};
	struct failure_text failure;
	struct value value;
	enum err err =
		expression_evaluate(when, &watched.base, &loader->scratch, &value, &failure);

	loader->nomem |= err == ERR_NOMEM;
	return !err && !asked && value.type == JSON_BOOL && !value.boolean;
}

static void load_when(struct loader *loader, struct draft *draft, struct stand *stand)
{
	static const char needs[] =
		"`when` needs an expression that gives a boolean, such as =input.total > 100";
	struct scope scope = scope_at(stand);
	struct step_definition *step = &draft->step;
	struct step_set sure = {{0}};

	step->when = load_typed(loader, draft->when, &scope, TYPE_OF(JSON_BOOL), needs);
	if (!step->when) {
		/* What a wrong condition was to make sure of nobody knows. */
		memset(&draft->present, 0xff, sizeof draft->present);
		return;
	}
	expression_facts(step->when, true, &sure);
	for (uint32_t i = 0; i < loader->n_steps; i++) {
		if (step_set_has(&sure, i))
			step_set_add(&draft->present, i);
	}
	if (is_always_false(loader, step->when))
		report(loader->problems, draft->when->place, CODE_UNREACHABLE_STEP,
		       "the step `%s` can never run, since its `when` is always false; correct "
		       "the condition or remove the step",
		       shown(step->name, &(struct shown){""}));
}

/* --- steps -------------------------------------------------------------------- */

static void load_arguments(struct loader *loader, struct draft *draft, struct stand *stand)
{
	struct scope scope = scope_at(stand);
	struct stand undo = {loader, stand->step, true};
	struct scope undo_scope = scope_at(&undo);
	struct step_definition *step = &draft->step;

	if (form_commands(step->form) || !draft->undo_with)
		step->call.with = load_template(loader, draft->with, &scope);
	if (!step->has_undo)
		return;
	step->undo.with = draft->undo_with
				  ? load_template(loader, draft->undo_with, &undo_scope)
				  : step->call.with;
}

static void load_in(struct loader *loader, struct draft *draft, struct stand *stand)
{
	struct scope scope = scope_at(stand);

	if (draft->in)
		draft->step.in =
			load_typed(loader, draft->in, &scope, TYPE_OF(JSON_LIST),
				   "`in` needs an expression that gives a list, such as "
				   "=input.lines");
}

static void load_child_arguments(struct loader *loader, struct draft *draft,
				 struct stand *stand)
{
	static const char needs[] = "`key` needs an expression that gives a text or a number, "
				    "such as =input.order_id";
	struct scope scope = scope_at(stand);
	struct step_definition *step = &draft->step;

	step->call.with = load_template(loader, draft->with, &scope);
	step->undo.with = load_template(loader, NULL, &scope);
	if (draft->child_key)
		step->child_key = load_typed(loader, draft->child_key, &scope,
					     TYPE_OF(JSON_TEXT) | TYPE_OF(JSON_NUMBER), needs);
}

static void load_until(struct loader *loader, struct draft *draft, struct stand *stand)
{
	struct scope scope = scope_at(stand);

	if (draft->until)
		draft->step.until = load_typed(
			loader, draft->until, &scope, TYPE_OF(JSON_TEXT),
			"`until` needs an expression that gives a time as text, such "
			"as =input.not_before");
}

void load_expressions(struct loader *loader)
{
	for (uint32_t i = 0; i < loader->n_steps; i++) {
		struct draft *draft = &loader->drafts[i];
		struct stand stand = {loader, i, false};

		if (draft->step.parent != NO_STEP)
			draft->present = loader->drafts[draft->step.parent].present;
		if (draft->when)
			load_when(loader, draft, &stand);
		if (draft->broken)
			continue;
		if (draft->step.form == FORM_CALL || draft->step.form == FORM_NOTHING)
			load_arguments(loader, draft, &stand);
		else if (draft->step.form == FORM_SLEEP)
			load_until(loader, draft, &stand);
		else if (draft->step.form == FORM_EACH)
			load_in(loader, draft, &stand);
		else if (draft->step.form == FORM_SAGA)
			load_child_arguments(loader, draft, &stand);
	}
}

/* --- the top level ------------------------------------------------------------ */

void load_key(struct loader *loader, const struct yaml_node *node)
{
	static const char needs[] = "`key` needs an expression that gives a text or a number, "
				    "such as =input.order_id";
	struct scope scope = {.input = loader->definition->input};

	if (node->kind == YAML_SCALAR && scalar_type(node) != SCALAR_EXPRESSION) {
		if (!node->broken)
			report(loader->problems, node->place, CODE_BAD_KEY,
			       "%s; with the same key for all there could be only one saga",
			       needs);
		return;
	}
	loader->definition->key = load_typed(loader, node, &scope,
					     TYPE_OF(JSON_TEXT) | TYPE_OF(JSON_NUMBER), needs);
}

void load_output(struct loader *loader, const struct yaml_node *node)
{
	struct stand stand = {loader, NO_STEP, false};
	struct scope scope = scope_at(&stand);

	if (mapping_check(loader, node,
			  "`output` needs a mapping such as { receipt: =charge.out.receipt }"))
		loader->definition->output = load_template(loader, node, &scope);
}

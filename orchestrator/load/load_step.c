/* load_step.c - the list of steps and the forms of a step, without what is an
 * expression: that comes when all steps are known. */
#include "orchestrator/load/loader.h"

#include <stdio.h>

/* Steps that contain a list of steps are loaded before what is in them. */
struct position {
	uint32_t parent;
	unsigned depth; /* of the list; the outermost is 1 */
};

static const char *const call_names[] = {"call", "with",       "kind", "timeout",    "retry",
					 "undo", "on_failure", "when", "description"};
static const char *const nothing_names[] = {"undo", "when", "description"};
static const char *const parallel_names[] = {"parallel", "when", "description"};
static const char *const await_names[] = {"await", "when", "description"};
static const char *const sleep_names[] = {"sleep", "when", "description"};
static const char *const each_names[] = {"each", "when", "description"};
static const char *const saga_names[] = {"saga", "with", "key", "kind", "when", "description"};
static const char *const all_names[] = {
	"call",  "with",  "kind", "timeout", "retry", "undo", "on_failure", "parallel",
	"await", "sleep", "each", "saga",    "key",   "when", "description"};

static const struct form_row {
	const char *key;
	enum form form;
	struct keys keys;
} forms[] = {
	{"call", FORM_CALL, {"in a `call` step", call_names, 9}},
	{"parallel", FORM_PARALLEL, {"in a `parallel` step", parallel_names, 3}},
	{"await", FORM_AWAIT, {"in an `await` step", await_names, 3}},
	{"sleep", FORM_SLEEP, {"in a `sleep` step", sleep_names, 3}},
	{"each", FORM_EACH, {"in an `each` step", each_names, 3}},
	{"saga", FORM_SAGA, {"in a `saga` step", saga_names, 6}},
};

static const struct form_row nothing = {
	"undo", FORM_NOTHING, {"in a step that only has an `undo`", nothing_names, 3}};
static const struct keys all_keys = {"in a step", all_names, 15};

enum { N_FORMS = sizeof forms / sizeof forms[0] };

static void load_list(struct loader *loader, const struct yaml_node *node,
		      struct position position, struct branch *out);

/* --- names -------------------------------------------------------------------- */

/* Where the name is or would be in by_name. */
static uint32_t name_index(const struct loader *loader, struct slice name)
{
	uint32_t low = 0, high = loader->n_names;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct draft *draft = &loader->drafts[loader->by_name[middle]];

		if (slice_compare(draft->step.name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t loader_find(const struct loader *loader, struct slice name)
{
	uint32_t at = name_index(loader, name);

	if (at < loader->n_names &&
	    slice_equal(loader->drafts[loader->by_name[at]].step.name, name))
		return loader->by_name[at];
	return NO_STEP;
}

/* Names that an expression takes for something else. */
bool name_reserved(struct slice name)
{
	return slice_is(name, "input") || slice_is(name, "saga") || slice_is(name, "true") ||
	       slice_is(name, "false") || slice_is(name, "null");
}

static void add_name(struct loader *loader, uint32_t index)
{
	const struct step_definition *step = &loader->drafts[index].step;
	uint32_t at = name_index(loader, step->name);
	uint32_t first = loader_find(loader, step->name);

	if (check_name(loader, step->name, step->place, "a step") && name_reserved(step->name))
		report(loader->problems, step->place, CODE_BAD_NAME,
		       "`%s` has a meaning of its own in expressions; give the step another "
		       "name",
		       step->name.at);
	if (first != NO_STEP) {
		report(loader->problems, step->place, CODE_DUPLICATE_STEP,
		       "there is a step `%s` already, in line %u; names are unique in the "
		       "whole "
		       "saga, so choose another one",
		       shown(step->name, &(struct shown){""}),
		       (unsigned)loader->drafts[first].step.place.line);
		return;
	}
	memmove(&loader->by_name[at + 1], &loader->by_name[at],
		(loader->n_names - at) * sizeof loader->by_name[0]);
	loader->by_name[at] = index;
	loader->step_names[loader->n_names++] = step->name.at;
}

/* --- forms -------------------------------------------------------------------- */

static void load_parallel(struct loader *loader, uint32_t index, const struct yaml_node *node,
			  unsigned depth)
{
	struct branch *branches;
	uint32_t n = 0;

	if (!mapping_check(loader, node,
			   "`parallel` needs a mapping such as { BRANCH: [steps], ... }"))
		return;
	if (node->n == 0) {
		report(loader->problems, node->place, CODE_NO_BRANCHES,
		       "`parallel` has no branches; write { BRANCH: [steps], ... }");
		return;
	}
	/* Every branch has a step at least, and more are refused there. */
	branches =
		node->n > BRANCHES_MAX ? NULL : keep_alloc(loader, node->n, sizeof *branches);
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		struct branch branch = {.name = entry->name};

		(void)check_name(loader, entry->name, entry->place, "a branch");
		load_list(loader, entry->value, (struct position){index, depth + 1}, &branch);
		if (branches && keep_text(loader, entry->name, &branch.name))
			branches[n++] = branch;
	}
	loader->drafts[index].step.branches = branches;
	loader->drafts[index].step.n_branches = n;
}

/* The name that the steps inside have for their element. */
static void load_as(struct loader *loader, struct draft *draft, const struct yaml_node *node)
{
	struct slice name;

	draft->as_place = node->place;
	if (!read_text(loader, node, "`as` needs a name, such as line", &name) ||
	    !check_name(loader, name, node->place, "an element"))
		return;
	if (name_reserved(name))
		report(loader->problems, node->place, CODE_BAD_NAME,
		       "`%s` has a meaning of its own in expressions; give the element another "
		       "name",
		       name.at);
	else
		(void)keep_text(loader, name, &draft->step.as);
}

static void load_each_members(struct loader *loader, struct draft *draft,
			      const struct yaml_node *node, const struct keys *keys)
{
	static const struct {
		const char *name;
		const char *sentence;
	} required[] = {
		{"in",
		 "`in` is missing in this `each`; say which list, as in `in: =input.lines`"},
		{"as", "`as` is missing in this `each`; name the element, as in `as: line`"},
		{"max", "`max` is missing in this `each`; say how many elements there are at "
			"most, up to 1000"},
		{"steps",
		 "`steps` is missing in this `each`; list what is done for an element"},
	};

	for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
		if (is_missing(node, required[i].name, keys))
			report(loader->problems, node->place, CODE_MISSING_KEY, "%s",
			       required[i].sentence);
	draft->in = member(node, "in");
	if (member(node, "as"))
		load_as(loader, draft, member(node, "as"));
	if (member(node, "max") &&
	    read_integer(loader, member(node, "max"), "max", 1, EACH_MAX, &draft->step.max))
		draft->max_place = member(node, "max")->place;
}

static void load_each(struct loader *loader, uint32_t index, const struct yaml_node *node,
		      unsigned depth)
{
	static const char *const names[] = {"in", "as", "max", "steps"};
	static const struct keys keys = {"in an `each`", names, 4};
	struct draft *draft = &loader->drafts[index];
	struct branch *branch;

	if (draft->step.each != NO_STEP)
		report(loader->problems, node->place, CODE_EACH_IN_EACH,
		       "an `each` cannot stand in the `each` of step `%s`; let one command "
		       "work "
		       "on the inner list, or make the inner steps a child saga",
		       loader->drafts[draft->step.each].step.name.at);
	if (!mapping_check(loader, node,
			   "`each` needs a mapping such as { in: =input.lines, as: line, max: "
			   "100, steps: [steps] }"))
		return;
	(void)keys_check(loader, node, &keys);
	load_each_members(loader, draft, node, &keys);
	branch = keep_alloc(loader, 1, sizeof *branch);
	if (!branch)
		return;
	*branch = (struct branch){.name = draft->step.as, .first = NO_STEP, .last = NO_STEP};
	if (member(node, "steps"))
		load_list(loader, member(node, "steps"), (struct position){index, depth + 1},
			  branch);
	draft->step.branches = branch;
	draft->step.n_branches = 1;
}

static void load_await(struct loader *loader, struct draft *draft, const struct yaml_node *node)
{
	static const char *const names[] = {"event", "timeout", "then"};
	static const struct keys keys = {"in an `await`", names, 3};
	static const char *const words[] = {"compensate", "continue", NULL};
	const struct yaml_node *event, *timeout, *then;
	struct slice name;
	int word;

	draft->timeout_given = true; /* unless it is certain that there is none */
	if (!mapping_check(loader, node,
			   "`await` needs a mapping such as { event: NAME, timeout: 24h, then: "
			   "compensate }"))
		return;
	(void)keys_check(loader, node, &keys);
	event = member(node, "event");
	timeout = member(node, "timeout");
	then = member(node, "then");
	if (is_missing(node, "event", &keys))
		report(loader->problems, node->place, CODE_MISSING_KEY,
		       "`event` is missing in this `await`; say which event the saga waits "
		       "for");
	else if (event &&
		 read_text(loader, event, "`event` needs the name of an event", &name) &&
		 check_name(loader, name, event->place, "an event"))
		(void)keep_text(loader, name, &draft->step.event);
	draft->timeout_given = timeout != NULL;
	if (timeout)
		(void)read_duration(loader, timeout, "timeout", &draft->step.await_ms);
	if (!then || !read_word(loader, then, "then", words, &word))
		return;
	draft->then_place = then->place;
	if (!timeout)
		report(loader->problems, then->place, CODE_UNUSED_THEN,
		       "`then` says what follows a timeout, but there is none; add `timeout` "
		       "or "
		       "remove `then`");
	else
		draft->then = word == 1 ? THEN_CONTINUE : THEN_COMPENSATE;
}

static void load_sleep(struct loader *loader, struct draft *draft, const struct yaml_node *node)
{
	static const char *const names[] = {"until"};
	static const struct keys keys = {"in a `sleep`", names, 1};

	if (node->kind != YAML_MAPPING) {
		(void)read_duration(loader, node, "sleep", &draft->step.sleep_ms);
		return;
	}
	(void)keys_check(loader, node, &keys);
	draft->until = member(node, "until");
	if (is_missing(node, "until", &keys))
		report(loader->problems, node->place, CODE_MISSING_KEY,
		       "`until` is missing in this `sleep`; write { until: =EXPRESSION }, or a "
		       "duration such as 10s");
}

/* The form that the keys speak of; NULL: reported. */
static const struct form_row *find_form(struct loader *loader, struct slice name,
					const struct yaml_node *settings)
{
	const struct form_row *found = NULL;
	struct shown room = {""};

	for (size_t i = 0; i < N_FORMS; i++) {
		const struct yaml_entry *entry = yaml_get(settings, forms[i].key);

		if (!entry)
			continue;
		if (found) {
			report(loader->problems, entry->place, CODE_TWO_FORMS,
			       "a step is `%s` or `%s`, not both; make two steps of it",
			       found->key, forms[i].key);
			return NULL;
		}
		found = &forms[i];
	}
	if (found)
		return found;
	if (yaml_get(settings, "undo"))
		return &nothing;
	/* A misspelt form is reported as the unknown key that it is. */
	if (keys_check(loader, settings, &all_keys))
		report(loader->problems, settings->place, CODE_MISSING_FORM,
		       "it is not said what the step `%s` does; add one of call, parallel, "
		       "each, await, sleep, saga, or an undo",
		       shown(name, &room));
	return NULL;
}

static void load_form(struct loader *loader, uint32_t index, const struct yaml_node *settings,
		      unsigned depth)
{
	struct draft *draft = &loader->drafts[index];
	const struct yaml_node *description = member(settings, "description");
	const struct form_row *row;
	struct slice text;

	draft->when = member(settings, "when");
	if (description && read_text(loader, description, "`description` needs a text", &text))
		(void)keep_text(loader, text, &draft->step.description);
	row = find_form(loader, draft->step.name, settings);
	if (!row)
		return;
	(void)keys_check(loader, settings, &row->keys);
	draft->step.form = row->form;
	draft->broken = false;
	switch (row->form) {
	case FORM_CALL: load_call(loader, draft, settings); break;
	case FORM_NOTHING:
		draft->step.kind = KIND_COMPENSATABLE;
		draft->kind_known = true;
		load_undo(loader, draft, member(settings, "undo"));
		break;
	case FORM_PARALLEL:
		load_parallel(loader, index, member(settings, "parallel"), depth);
		break;
	case FORM_AWAIT: load_await(loader, draft, member(settings, "await")); break;
	case FORM_SLEEP: load_sleep(loader, draft, member(settings, "sleep")); break;
	case FORM_EACH: load_each(loader, index, member(settings, "each"), depth); break;
	case FORM_SAGA: load_child(loader, draft, settings); break;
	}
}

/* --- the list ----------------------------------------------------------------- */

/* Whether the element is a name with its settings below; otherwise say so. */
static bool is_step(struct loader *loader, const struct yaml_node *item)
{
	static const char needs[] = "a step is a name with its settings below it, such as "
				    "{ reserve: { call: inventory.reserve } }";

	if (!mapping_check(loader, item, needs))
		return false;
	if (item->n == 1)
		return true;
	if (item->n == 0 && item->incomplete)
		return false;
	if (item->n == 0)
		report(loader->problems, item->place, CODE_BAD_STEP, "%s; here is nothing",
		       needs);
	else
		report(loader->problems, item->place, CODE_BAD_STEP,
		       "%s; here are %zu keys side by side: indent the settings deeper than "
		       "the "
		       "name, and begin every step with -",
		       needs, item->n);
	return false;
}

/* The `each` in which what the parent contains stands. */
static uint32_t each_around(const struct loader *loader, uint32_t parent)
{
	if (parent == NO_STEP)
		return NO_STEP;
	return loader->drafts[parent].step.form == FORM_EACH ? parent
							     : loader->drafts[parent].step.each;
}

static uint32_t add_step(struct loader *loader, const struct yaml_entry *entry,
			 struct position position)
{
	uint32_t index = loader->n_steps;
	struct draft *draft;

	if (index == STEPS_MAX) {
		if (!loader->too_many_steps)
			report(loader->problems, entry->place, CODE_TOO_MANY_STEPS,
			       "there are more than %d steps; split the saga", STEPS_MAX);
		loader->too_many_steps = true;
		return NO_STEP;
	}
	draft = &loader->drafts[index];
	if (!keep_text(loader, entry->name, &draft->step.name))
		return NO_STEP;
	loader->n_steps++;
	draft->broken = true; /* until its form is known */
	draft->step.place = entry->place;
	draft->step.kind = KIND_NONE;
	draft->step.parent = position.parent;
	draft->step.previous = NO_STEP;
	draft->step.next = NO_STEP;
	draft->step.end = index + 1;
	draft->step.each = each_around(loader, position.parent);
	add_name(loader, index);
	return index;
}

static uint32_t load_step(struct loader *loader, const struct yaml_node *item,
			  struct position position)
{
	const struct yaml_entry *entry = item->first;
	uint32_t index;

	if (!is_step(loader, item))
		return NO_STEP;
	index = add_step(loader, entry, position);
	if (index == NO_STEP)
		return NO_STEP;
	if (entry->value->kind == YAML_MAPPING)
		load_form(loader, index, entry->value, position.depth);
	else
		report_type(loader, entry->value,
			    "a step needs settings such as { call: PARTICIPANT.COMMAND }");
	loader->drafts[index].step.end = loader->n_steps;
	return index;
}

static void load_list(struct loader *loader, const struct yaml_node *node,
		      struct position position, struct branch *out)
{
	uint32_t previous = NO_STEP;

	out->first = NO_STEP;
	out->last = NO_STEP;
	if (node->kind != YAML_LIST) {
		report_type(loader, node,
			    "steps are a list such as [ { reserve: { call: "
			    "inventory.reserve } } ]");
		return;
	}
	if (node->n == 0)
		report(loader->problems, node->place, CODE_NO_STEPS,
		       "this list has no steps; add one at least");
	if (position.depth > NESTING_MAX) {
		report(loader->problems, node->place, CODE_NESTED_TOO_DEEP,
		       "steps are nested more than %d deep here; flatten them", NESTING_MAX);
		return;
	}
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		uint32_t index = load_step(loader, entry->value, position);

		if (index == NO_STEP)
			continue;
		loader->drafts[index].step.previous = previous;
		if (previous != NO_STEP)
			loader->drafts[previous].step.next = index;
		else
			out->first = index;
		out->last = index;
		previous = index;
	}
}

void load_steps(struct loader *loader, const struct yaml_node *node)
{
	load_list(loader, node, (struct position){NO_STEP, 1}, &loader->definition->top);
}

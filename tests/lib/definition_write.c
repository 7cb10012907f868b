#include "tests/lib/definition_plan.h"

#include <assert.h>

struct writer {
	const struct plan *plan;
	struct bytes *out;
	uint32_t at;    /* the step that is written; n_steps: behind all of them */
	unsigned depth; /* lists of steps inside each other */
	bool flow;      /* the settings of the step stand in one line */
	bool first;     /* none of them has been written */
};

/* --- values --------------------------------------------------------------------- */

/* Of a list of outputs, something of the first one. */
static void write_value(struct writer *w, const struct plan_value *value)
{
	const char *name = value->sort == VALUE_TEXT ? "" : w->plan->steps[value->step].name;
	bool list = value->sort != VALUE_TEXT && plan_is_list(w->plan, value->step, w->at);
	const char *v = list ? "out[0].v" : "out.v";

	switch (value->sort) {
	case VALUE_TEXT: bytes_text(w->out, value->text); break;
	case VALUE_OUTPUT: bytes_format(w->out, "\"=%s.%s\"", name, v); break;
	case VALUE_GUARDED:
		bytes_format(w->out, "\"=if(has(%s.out), %s.%s, 0)\"", name, name, v);
		break;
	case VALUE_WHETHER: bytes_format(w->out, "=has(%s.out)", name); break;
	case VALUE_IF_OUTPUT: bytes_format(w->out, "\"=%s.%s > 1\"", name, v); break;
	case VALUE_IF_BOTH:
		bytes_format(w->out, "\"=has(%s.%s) && %s.%s > 1\"", name, v, name, v);
		break;
	case VALUE_ELEMENT: bytes_format(w->out, "=%s", w->plan->steps[value->step].as); break;
	case VALUE_IF_NOT: bytes_format(w->out, "\"=!has(%s.out)\"", name); break;
	}
}

static void write_arguments(struct writer *w, const struct plan_arguments *arguments)
{
	if (arguments->whole) {
		write_value(w, &arguments->values[0]);
		return;
	}
	bytes_text(w->out, "{");
	for (uint32_t n = 0; n < arguments->n; n++) {
		bytes_format(w->out, "%s k%u: ", n ? "," : "", (unsigned)n);
		write_value(w, &arguments->values[n]);
	}
	bytes_text(w->out, " }");
}

/* --- the settings of a step ------------------------------------------------------ */

static void indent(struct writer *w, unsigned more)
{
	bytes_text(w->out, "\n");
	for (unsigned n = 0; n < 6 * w->depth + more; n++)
		bytes_text(w->out, " ");
}

static void write_key(struct writer *w, const char *key)
{
	if (w->flow)
		bytes_text(w->out, w->first ? " " : ", ");
	else
		indent(w, 6);
	w->first = false;
	bytes_format(w->out, "%s: ", key);
}

static void write_text(struct writer *w, const char *key, const char *text)
{
	if (!text)
		return;
	write_key(w, key);
	bytes_text(w->out, text);
}

/* What a do and an undo have in common; an undo stands in one line. */
static void write_call(struct writer *w, const struct plan_call *call, const char *command)
{
	write_text(w, "call", command);
	if (call->with.given) {
		write_key(w, "with");
		write_arguments(w, &call->with);
	}
	write_text(w, "timeout", call->timeout);
	if (call->retry)
		write_text(w, "retry",
			   call->retry->name ? call->retry->name : call->retry->text);
}

static void write_undo(struct writer *w, const struct plan_step *step)
{
	struct writer inner = {w->plan, w->out, w->at, w->depth, true, true};

	if (!step->has_undo)
		return;
	write_key(w, "undo");
	bytes_text(w->out, "{");
	write_call(&inner, &step->undo, "service.undo");
	write_text(&inner, "exhausted", step->exhausted);
	bytes_text(w->out, " }");
}

static void write_await(struct writer *w, const struct plan_step *step)
{
	struct writer inner = {w->plan, w->out, w->at, w->depth, true, true};

	write_key(w, "await");
	bytes_text(w->out, "{");
	write_text(&inner, "event", step->event);
	write_text(&inner, "timeout", step->timeout);
	write_text(&inner, "then", step->then);
	bytes_text(w->out, " }");
}

static void write_sleep(struct writer *w, const struct plan_step *step)
{
	if (step->sleep) {
		write_text(w, "sleep", step->sleep);
		return;
	}
	write_key(w, "sleep");
	bytes_text(w->out, "{ until: ");
	write_value(w, &step->until);
	bytes_text(w->out, " }");
}

static void write_list(struct writer *w, uint32_t first);

static void write_parallel(struct writer *w, uint32_t i)
{
	static const char *const branches[] = {"left", "on", "b-3"};
	const struct plan_step *steps = w->plan->steps;
	uint32_t list = NO_STEP, n = 0;

	write_key(w, "parallel");
	for (uint32_t inner = i + 1; inner < steps[i].end; inner++) {
		if (steps[inner].parent != i || steps[inner].list == list)
			continue;
		list = steps[inner].list;
		assert(n < sizeof branches / sizeof *branches);
		indent(w, 8);
		bytes_format(w->out, "%s:", branches[n++]);
		w->depth++;
		write_list(w, inner);
		w->depth--;
		w->flow = false;
	}
}

static void write_each(struct writer *w, uint32_t i)
{
	const struct plan_step *step = &w->plan->steps[i];

	write_key(w, "each");
	indent(w, 8);
	bytes_text(w->out, "in: ");
	write_value(w, &step->in);
	indent(w, 8);
	bytes_format(w->out, "as: %s", step->as);
	indent(w, 8);
	bytes_format(w->out, "max: %s", step->max);
	indent(w, 8);
	bytes_text(w->out, "steps:");
	w->depth++;
	write_list(w, i + 1);
	w->depth--;
	w->flow = false;
}

static void write_child(struct writer *w, const struct plan_step *step)
{
	if (step->kind_given)
		write_text(w, "kind", kind_text(step->kind));
	write_text(w, "saga", step->child);
	if (step->call.with.given) {
		write_key(w, "with");
		write_arguments(w, &step->call.with);
	}
	write_text(w, "key", step->child_key);
}

static void write_form(struct writer *w, uint32_t i)
{
	const struct plan_step *step = &w->plan->steps[i];

	switch (step->form) {
	case FORM_CALL:
		if (step->kind_given)
			write_text(w, "kind", kind_text(step->kind));
		write_call(w, &step->call, "service.do");
		write_text(w, "on_failure", step->on_failure);
		write_undo(w, step);
		break;
	case FORM_NOTHING: write_undo(w, step); break;
	case FORM_AWAIT: write_await(w, step); break;
	case FORM_SLEEP: write_sleep(w, step); break;
	case FORM_PARALLEL: write_parallel(w, i); break;
	case FORM_EACH: write_each(w, i); break;
	case FORM_SAGA: write_child(w, step); break;
	}
}

static void write_step(struct writer *w, uint32_t i)
{
	const struct plan_step *step = &w->plan->steps[i];

	indent(w, 2);
	w->at = i;
	bytes_format(w->out, "- %s:", step->name);
	w->flow = step->flow;
	w->first = true;
	if (w->flow)
		bytes_text(w->out, " {");
	if (step->described)
		write_text(w, "description", "\"what it does, and why\"");
	if (step->when.sort != VALUE_TEXT || step->when.text) {
		write_key(w, "when");
		write_value(w, &step->when);
	}
	write_text(w, step->extra_key, step->extra);
	if (!step->no_form)
		write_form(w, i);
	if (step->flow)
		bytes_text(w->out, " }");
}

/* The rest of the list from the step on. */
static void write_list(struct writer *w, uint32_t first)
{
	const struct plan_step *steps = w->plan->steps;
	uint32_t end = steps[first].parent == NO_STEP ? w->plan->n_steps
						      : steps[steps[first].parent].end;

	for (uint32_t i = first; i < end && steps[i].list == steps[first].list;
	     i = steps[i].end)
		write_step(w, i);
}

/* --- the top level --------------------------------------------------------------- */

static bool uses(const struct plan *plan, const struct plan_retry *retry)
{
	for (uint32_t i = 0; i < plan->n_steps; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->form == FORM_CALL && step->call.retry == retry)
			return true;
		if (step->has_undo && step->undo.retry == retry)
			return true;
	}
	return false;
}

static void write_retries(struct writer *w)
{
	const char *before = "use:\n  retry:\n";

	for (size_t n = 0; n < plan_n_retries; n++) {
		const struct plan_retry *retry = &plan_retries[n];

		if (!retry->name || !uses(w->plan, retry))
			continue;
		bytes_format(w->out, "%s    %s: %s\n", before, retry->name, retry->text);
		before = "";
	}
	if (w->plan->spare_retry)
		bytes_format(w->out, "%s    spare: {}\n", before);
}

static void write_top(struct writer *w, const char *key, const char *text)
{
	if (!text)
		return;
	bytes_text(w->out, key);
	bytes_text(w->out, text);
	bytes_text(w->out, "\n");
}

void plan_write(const struct plan *plan, struct bytes *out)
{
	struct writer w = {.plan = plan, .out = out};

	bytes_text(out, "saga: random\nversion: 1.0.0\n");
	write_top(&w, "description: ", plan->description);
	write_top(&w, "key: ", plan->key);
	write_top(&w, "input: ", plan->input);
	write_top(&w, "deadline: ", plan->deadline);
	write_retries(&w);
	bytes_text(out, "steps:");
	write_list(&w, 0);
	bytes_text(out, "\n");
	w.at = plan->n_steps;
	if (plan->output.given) {
		bytes_text(out, "output: ");
		write_arguments(&w, &plan->output);
		bytes_text(out, "\n");
	}
}

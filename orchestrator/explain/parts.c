#include "orchestrator/explain/parts.h"

#include "base/duration.h"

#include <inttypes.h>

/* --- values ----------------------------------------------------------------------- */

static void put_duration(struct bytes *out, int64_t ms)
{
	char text[DURATION_TEXT_MAX];

	bytes_append(out, (struct slice){text, duration_format(ms, text)});
}

static void put_expression(struct bytes *out, const struct expression *expression)
{
	if (!expression)
		return;
	bytes_add(out, '=');
	bytes_append(out, expression->text);
}

/* Templates nest no deeper than JSON. */
static void put_template(struct bytes *out, const struct template *template)
{
	bool object;

	if (!template)
		return;
	object = template->kind == TEMPLATE_OBJECT;
	switch (template->kind) {
	case TEMPLATE_LITERAL: bytes_append(out, template->literal.text); return;
	case TEMPLATE_EXPRESSION: put_expression(out, template->expression); return;
	case TEMPLATE_OBJECT:
	case TEMPLATE_LIST: break;
	}
	bytes_text(out, object ? "{" : "[");
	for (size_t i = 0; i < template->n_entries; i++) {
		bytes_text(out, i ? ", " : "");
		if (object) {
			bytes_append(out, template->entries[i].name);
			bytes_text(out, ": ");
		}
		put_template(out, template->entries[i].value);
	}
	bytes_text(out, object ? "}" : "]");
}

static void put_call(struct bytes *out, const struct call *call)
{
	bytes_append(out, call->participant);
	bytes_add(out, '.');
	bytes_append(out, call->command);
}

/* The policy by what it does: its name means nothing elsewhere. */
static void put_retry(struct bytes *out, const struct retry *retry)
{
	char factor[DECIMAL_TEXT_MAX];

	bytes_text(out, "first ");
	put_duration(out, retry->first_ms);
	bytes_text(out, ", factor ");
	bytes_append(out, (struct slice){factor, decimal_format(retry->factor, factor)});
	bytes_text(out, ", max ");
	put_duration(out, retry->max_ms);
	bytes_text(out, retry->full_jitter ? ", jitter full" : ", jitter none");
	if (retry->attempts)
		bytes_format(out, ", attempts %" PRIu32, retry->attempts);
	if (retry->budget_ms) {
		bytes_text(out, ", budget ");
		put_duration(out, retry->budget_ms);
	}
}

/* --- of a step -------------------------------------------------------------------- */

static void write_form(const struct step_definition *step, struct bytes *out)
{
	bytes_text(out, form_text(step->form));
}

static void write_kind(const struct step_definition *step, struct bytes *out)
{
	if (step->kind != KIND_NONE)
		bytes_text(out, kind_text(step->kind));
}

static void write_when(const struct step_definition *step, struct bytes *out)
{
	put_expression(out, step->when);
}

static void write_call(const struct step_definition *step, struct bytes *out)
{
	if (step->form == FORM_CALL)
		put_call(out, &step->call);
}

static void write_with(const struct step_definition *step, struct bytes *out)
{
	if (form_commands(step->form))
		put_template(out, step->call.with);
}

static void write_timeout(const struct step_definition *step, struct bytes *out)
{
	if (step->form == FORM_CALL)
		put_duration(out, step->call.timeout_ms);
}

static void write_retry(const struct step_definition *step, struct bytes *out)
{
	if (step->form == FORM_CALL)
		put_retry(out, &step->call.retry);
}

static void write_on_failure(const struct step_definition *step, struct bytes *out)
{
	if (step->ignore_failure)
		bytes_text(out, "ignore");
}

/* That of a step that starts a child saga is the child's. */
static bool calls_undo(const struct step_definition *step)
{
	return step->has_undo && step->form != FORM_SAGA;
}

static void write_undo(const struct step_definition *step, struct bytes *out)
{
	if (calls_undo(step))
		put_call(out, &step->undo);
}

static void write_undo_with(const struct step_definition *step, struct bytes *out)
{
	if (calls_undo(step))
		put_template(out, step->undo.with);
}

static void write_undo_timeout(const struct step_definition *step, struct bytes *out)
{
	if (calls_undo(step))
		put_duration(out, step->undo.timeout_ms);
}

static void write_undo_retry(const struct step_definition *step, struct bytes *out)
{
	if (calls_undo(step))
		put_retry(out, &step->undo.retry);
}

static void write_undo_exhausted(const struct step_definition *step, struct bytes *out)
{
	if (calls_undo(step))
		bytes_text(out, step->undo_skip ? "skip" : "park");
}

static void write_child(const struct step_definition *step, struct bytes *out)
{
	bytes_append(out, step->child);
	if (step->child_version.len)
		bytes_add(out, '@');
	bytes_append(out, step->child_version);
}

static void write_child_key(const struct step_definition *step, struct bytes *out)
{
	put_expression(out, step->child_key);
}

static void write_in(const struct step_definition *step, struct bytes *out)
{
	put_expression(out, step->in);
}

static void write_as(const struct step_definition *step, struct bytes *out)
{
	bytes_append(out, step->as);
}

static void write_max(const struct step_definition *step, struct bytes *out)
{
	if (step->form == FORM_EACH)
		bytes_format(out, "%" PRIu32, step->max);
}

static void write_event(const struct step_definition *step, struct bytes *out)
{
	bytes_append(out, step->event);
}

static void write_await(const struct step_definition *step, struct bytes *out)
{
	if (step->form == FORM_AWAIT && step->await_ms)
		put_duration(out, step->await_ms);
}

static void write_then(const struct step_definition *step, struct bytes *out)
{
	if (step->form == FORM_AWAIT && step->await_ms)
		bytes_text(out, step->await_continue ? "continue" : "compensate");
}

static void write_sleep(const struct step_definition *step, struct bytes *out)
{
	if (step->until)
		put_expression(out, step->until);
	else if (step->form == FORM_SLEEP)
		put_duration(out, step->sleep_ms);
}

const struct step_part step_parts[] = {
	{"form", write_form},
	{"kind", write_kind},
	{"when", write_when},
	{"call", write_call},
	{"saga", write_child},
	{"with", write_with},
	{"key", write_child_key},
	{"timeout", write_timeout},
	{"retry", write_retry},
	{"on_failure", write_on_failure},
	{"undo.call", write_undo},
	{"undo.with", write_undo_with},
	{"undo.timeout", write_undo_timeout},
	{"undo.retry", write_undo_retry},
	{"undo.exhausted", write_undo_exhausted},
	{"each.in", write_in},
	{"each.as", write_as},
	{"each.max", write_max},
	{"await.event", write_event},
	{"await.timeout", write_await},
	{"await.then", write_then},
	{"sleep", write_sleep},
};
const size_t n_step_parts = sizeof step_parts / sizeof *step_parts;

/* --- of a saga -------------------------------------------------------------------- */

static void write_saga(const struct definition *definition, struct bytes *out)
{
	bytes_append(out, definition->name);
}

static void write_key(const struct definition *definition, struct bytes *out)
{
	put_expression(out, definition->key);
}

/* The schema is told by its normal form: what stands behind `input:`, up to the next
 * line that begins at the margin. */
static void write_input(const struct definition *definition, struct bytes *out)
{
	static const char begin[] = "\ninput:";
	struct slice text = definition->normal;
	size_t at = 0;

	while (at + sizeof begin <= text.len &&
	       memcmp(text.at + at, begin, sizeof begin - 1) != 0)
		at++;
	if (at + sizeof begin > text.len)
		return;
	for (at += sizeof begin - 1; at < text.len; at++) {
		if (text.at[at] == '\n' && at + 1 < text.len && text.at[at + 1] != ' ')
			break;
		bytes_add(out, text.at[at]);
	}
}

static void write_deadline(const struct definition *definition, struct bytes *out)
{
	if (definition->deadline_ms)
		put_duration(out, definition->deadline_ms);
}

static void write_output(const struct definition *definition, struct bytes *out)
{
	put_template(out, definition->output);
}

const struct saga_part saga_parts[] = {
	{"saga", write_saga},         {"key", write_key},       {"input", write_input},
	{"deadline", write_deadline}, {"output", write_output},
};
const size_t n_saga_parts = sizeof saga_parts / sizeof *saga_parts;

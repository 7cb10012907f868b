#include "orchestrator/load/normal.h"

#include "base/duration.h"
#include "base/json.h"
#include "base/utf8.h"
#include "orchestrator/load/scalar.h"

#include <assert.h>

/* Block style: two blanks for every list or mapping around. */
struct writer {
	struct bytes *out;
	unsigned depth;
	bool begun;      /* the first line */
	bool after_dash; /* "- " was written: what follows stands on the same line */
};

static void begin_line(struct writer *writer)
{
	if (writer->after_dash) {
		writer->after_dash = false;
		return;
	}
	if (writer->begun)
		bytes_add(writer->out, '\n');
	writer->begun = true;
	for (unsigned i = 0; i < writer->depth; i++)
		bytes_text(writer->out, "  ");
}

/* --- scalars ------------------------------------------------------------------- */

/* Characters that JSON allows as they are but YAML, or an editor, does not. */
static bool needs_escape(uint32_t c)
{
	return (c >= 0x7f && c <= 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
	       (c >= 0xfff0 && c <= 0xffff);
}

/* JSON is YAML once those characters are escaped; outside its texts there are
 * none of them. */
static void write_json(struct bytes *out, struct slice json)
{
	size_t done = 0, at = 0;

	while (at < json.len) {
		struct slice rest = {json.at + at, json.len - at};
		uint32_t c = (unsigned char)rest.at[0];
		size_t len = c < 0x7f ? 1 : utf8_decode(rest, &c);

		assert(len > 0);
		if (needs_escape(c)) {
			bytes_append(out, (struct slice){json.at + done, at - done});
			bytes_format(out, "\\u%04x", (unsigned)c);
			done = at + len;
		}
		at += len;
	}
	bytes_append(out, (struct slice){json.at + done, at - done});
}

/* In quotes where it would be read as something else without. */
static void write_text(struct bytes *out, struct slice text)
{
	struct bytes json = BYTES(DEFINITION_TEXT_MAX, NULL);

	if (scalar_plain(text)) {
		bytes_append(out, text);
		return;
	}
	json_write_text(&json, text);
	if (json.err && !out->err)
		out->err = json.err;
	else
		write_json(out, bytes_slice(&json));
	bytes_release(&json);
}

/* A literal text never begins with = : that is what makes an expression. */
static void write_json_text(struct bytes *out, struct slice json)
{
	struct slice inside = {json.at + 1, json.len - 2};

	if (!memchr(inside.at, '\\', inside.len) && scalar_plain(inside))
		bytes_append(out, inside);
	else
		write_json(out, json);
}

static void write_expression(struct bytes *out, const struct expression *expression)
{
	struct bytes text = BYTES(EXPRESSION_TEXT_MAX + 1, NULL);

	bytes_add(&text, '=');
	bytes_append(&text, expression->text);
	if (text.err && !out->err)
		out->err = text.err;
	else
		write_text(out, bytes_slice(&text));
	bytes_release(&text);
}

/* --- members ------------------------------------------------------------------- */

static bool is_simple_key(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && !(i > 0 && ((c >= '0' && c <= '9') || c == '-')))
			return false;
	}
	return name.len > 0 && scalar_plain(name);
}

static void key(struct writer *writer, struct slice name)
{
	struct bytes json = BYTES(DEFINITION_TEXT_MAX, NULL);

	begin_line(writer);
	if (is_simple_key(name)) {
		bytes_append(writer->out, name);
	} else {
		json_write_text(&json, name);
		if (json.err && !writer->out->err)
			writer->out->err = json.err;
		else
			write_json(writer->out, bytes_slice(&json));
		bytes_release(&json);
	}
	bytes_add(writer->out, ':');
}

static void word(struct writer *writer, const char *name, const char *value)
{
	key(writer, slice_of(name));
	bytes_format(writer->out, " %s", value);
}

static void text(struct writer *writer, const char *name, struct slice value)
{
	key(writer, slice_of(name));
	bytes_add(writer->out, ' ');
	write_text(writer->out, value);
}

static void description(struct writer *writer, struct slice value)
{
	if (value.len > 0)
		text(writer, "description", value);
}

static void duration(struct writer *writer, const char *name, int64_t ms)
{
	char value[DURATION_TEXT_MAX];

	duration_format(ms, value);
	word(writer, name, value);
}

static void expression(struct writer *writer, const char *name, const struct expression *value)
{
	key(writer, slice_of(name));
	bytes_add(writer->out, ' ');
	write_expression(writer->out, value);
}

static void open_mapping(struct writer *writer, const char *name)
{
	key(writer, slice_of(name));
	writer->depth++;
}

static void dash(struct writer *writer)
{
	begin_line(writer);
	bytes_text(writer->out, "- ");
	writer->after_dash = true;
	writer->depth++;
}

/* --- templates ----------------------------------------------------------------- */

/* A value stands behind "key:" or "- ": on the same line where it is a scalar or
 * empty, otherwise below and deeper. */
static void scalar_begins(struct writer *writer)
{
	if (!writer->after_dash)
		bytes_add(writer->out, ' ');
	writer->after_dash = false;
}

static void write_literal(struct writer *writer, struct json value);

static void write_member_name(struct writer *writer, struct json name)
{
	struct slice inside = {name.text.at + 1, name.text.len - 2};

	begin_line(writer);
	if (is_simple_key(inside))
		bytes_append(writer->out, inside);
	else
		write_json(writer->out, name.text);
	bytes_add(writer->out, ':');
}

static void write_entries(struct writer *writer, struct json value)
{
	struct json_each each = json_each(value);
	bool list = json_type(value) == JSON_LIST, dashed = writer->after_dash;

	/* Behind a dash the depth is that of the entries already. */
	writer->depth += !dashed;
	while (json_next(&each)) {
		if (list)
			dash(writer);
		else
			write_member_name(writer, each.name);
		write_literal(writer, each.value);
		writer->depth -= list;
	}
	writer->depth -= !dashed;
}

static void write_literal(struct writer *writer, struct json value)
{
	enum json_type type = json_type(value);

	if ((type == JSON_LIST || type == JSON_OBJECT) && json_size(value) > 0) {
		write_entries(writer, value);
		return;
	}
	scalar_begins(writer);
	if (type == JSON_TEXT)
		write_json_text(writer->out, value.text);
	else
		write_json(writer->out, value.text);
}

static void write_template(struct writer *writer, const struct template *template)
{
	bool list = template->kind == TEMPLATE_LIST, dashed = writer->after_dash;

	switch (template->kind) {
	case TEMPLATE_LITERAL: write_literal(writer, template->literal); return;
	case TEMPLATE_EXPRESSION:
		scalar_begins(writer);
		write_expression(writer->out, template->expression);
		return;
	case TEMPLATE_OBJECT:
	case TEMPLATE_LIST: break;
	}
	writer->depth += !dashed;
	for (size_t i = 0; i < template->n_entries; i++) {
		if (list)
			dash(writer);
		else
			key(writer, template->entries[i].name);
		write_template(writer, template->entries[i].value);
		writer->depth -= list;
	}
	writer->depth -= !dashed;
}

static void arguments(struct writer *writer, const char *name, const struct template *template)
{
	key(writer, slice_of(name));
	write_template(writer, template);
}

/* --- steps --------------------------------------------------------------------- */

static void retry_members(struct writer *writer, const struct retry *retry)
{
	char factor[DECIMAL_TEXT_MAX];

	duration(writer, "first", retry->first_ms);
	decimal_format(retry->factor, factor);
	word(writer, "factor", factor);
	duration(writer, "max", retry->max_ms);
	word(writer, "jitter", retry->full_jitter ? "full" : "none");
	if (retry->attempts) {
		key(writer, SLICE_LITERAL("attempts"));
		bytes_format(writer->out, " %u", (unsigned)retry->attempts);
	}
	if (retry->budget_ms)
		duration(writer, "budget", retry->budget_ms);
}

static void write_call(struct writer *writer, const struct call *call, bool with)
{
	key(writer, SLICE_LITERAL("call"));
	bytes_add(writer->out, ' ');
	bytes_append(writer->out, call->participant);
	bytes_add(writer->out, '.');
	bytes_append(writer->out, call->command);
	if (with)
		arguments(writer, "with", call->with);
}

static void attempts(struct writer *writer, const struct call *call)
{
	duration(writer, "timeout", call->timeout_ms);
	if (call->retry.name.len > 0) {
		text(writer, "retry", call->retry.name);
		return;
	}
	open_mapping(writer, "retry");
	retry_members(writer, &call->retry);
	writer->depth--;
}

static void undo(struct writer *writer, const struct step_definition *step)
{
	open_mapping(writer, "undo");
	write_call(writer, &step->undo, step->undo_with_given);
	attempts(writer, &step->undo);
	word(writer, "exhausted", step->undo_skip ? "skip" : "park");
	writer->depth--;
}

static const char *on_failure(const struct step_definition *step)
{
	if (step->ignore_failure)
		return "ignore";
	return step->after_pivot ? "park" : "compensate";
}

static void write_steps(struct writer *writer, const struct step_definition *steps,
			const struct branch *branch);

static void parallel(struct writer *writer, const struct step_definition *steps,
		     const struct step_definition *step)
{
	open_mapping(writer, "parallel");
	for (uint32_t i = 0; i < step->n_branches; i++) {
		key(writer, step->branches[i].name);
		write_steps(writer, steps, &step->branches[i]);
	}
	writer->depth--;
}

static void each(struct writer *writer, const struct step_definition *steps,
		 const struct step_definition *step)
{
	open_mapping(writer, "each");
	expression(writer, "in", step->in);
	text(writer, "as", step->as);
	key(writer, SLICE_LITERAL("max"));
	bytes_format(writer->out, " %u", (unsigned)step->max);
	key(writer, SLICE_LITERAL("steps"));
	write_steps(writer, steps, &step->branches[0]);
	writer->depth--;
}

static void child(struct writer *writer, const struct step_definition *step)
{
	word(writer, "kind", kind_text(step->kind));
	key(writer, SLICE_LITERAL("saga"));
	bytes_add(writer->out, ' ');
	bytes_append(writer->out, step->child);
	if (step->child_version.len > 0) {
		bytes_add(writer->out, '@');
		bytes_append(writer->out, step->child_version);
	}
	arguments(writer, "with", step->call.with);
	if (step->child_key)
		expression(writer, "key", step->child_key);
}

static void await(struct writer *writer, const struct step_definition *step)
{
	open_mapping(writer, "await");
	text(writer, "event", step->event);
	if (step->await_ms) {
		duration(writer, "timeout", step->await_ms);
		word(writer, "then", step->await_continue ? "continue" : "compensate");
	}
	writer->depth--;
}

static void sleep_step(struct writer *writer, const struct step_definition *step)
{
	if (!step->until) {
		duration(writer, "sleep", step->sleep_ms);
		return;
	}
	open_mapping(writer, "sleep");
	expression(writer, "until", step->until);
	writer->depth--;
}

static void call(struct writer *writer, const struct step_definition *step)
{
	word(writer, "kind", kind_text(step->kind));
	write_call(writer, &step->call, true);
	attempts(writer, &step->call);
	if (step->has_undo)
		undo(writer, step);
	word(writer, "on_failure", on_failure(step));
}

static void write_step(struct writer *writer, const struct step_definition *steps,
		       const struct step_definition *step)
{
	dash(writer);
	key(writer, step->name);
	writer->depth++;
	description(writer, step->description);
	if (step->when)
		expression(writer, "when", step->when);
	switch (step->form) {
	case FORM_CALL: call(writer, step); break;
	case FORM_NOTHING: undo(writer, step); break;
	case FORM_PARALLEL: parallel(writer, steps, step); break;
	case FORM_AWAIT: await(writer, step); break;
	case FORM_SLEEP: sleep_step(writer, step); break;
	case FORM_EACH: each(writer, steps, step); break;
	case FORM_SAGA: child(writer, step); break;
	}
	writer->depth -= 2;
}

static void write_steps(struct writer *writer, const struct step_definition *steps,
			const struct branch *branch)
{
	writer->depth++;
	for (uint32_t i = branch->first; i != NO_STEP; i = steps[i].next)
		write_step(writer, steps, &steps[i]);
	writer->depth--;
}

/* --- the top level ------------------------------------------------------------- */

static void input(struct writer *writer, const struct definition *definition)
{
	if (!definition->has_input_schema && definition->n_mask == 0)
		return;
	open_mapping(writer, "input");
	if (definition->has_input_schema) {
		key(writer, SLICE_LITERAL("schema"));
		bytes_add(writer->out, ' ');
		write_json(writer->out, definition->input->text.text);
	}
	if (definition->n_mask > 0) {
		open_mapping(writer, "mask");
		for (size_t i = 0; i < definition->n_mask; i++) {
			dash(writer);
			writer->after_dash = false;
			write_text(writer->out, definition->mask[i]);
			writer->depth--;
		}
		writer->depth--;
	}
	writer->depth--;
}

static void deadline(struct writer *writer, const struct definition *definition)
{
	if (!definition->deadline_ms)
		return;
	open_mapping(writer, "deadline");
	duration(writer, "after", definition->deadline_ms);
	word(writer, "then", "compensate");
	writer->depth--;
}

static void use(struct writer *writer, const struct definition *definition)
{
	if (definition->n_retries == 0)
		return;
	open_mapping(writer, "use");
	open_mapping(writer, "retry");
	for (size_t i = 0; i < definition->n_retries; i++) {
		key(writer, definition->retries[i].name);
		writer->depth++;
		retry_members(writer, &definition->retries[i]);
		writer->depth--;
	}
	writer->depth -= 2;
}

void normal_write(struct bytes *out, const struct definition *definition)
{
	struct writer writer = {.out = out};

	text(&writer, "saga", definition->name);
	key(&writer, SLICE_LITERAL("version"));
	bytes_add(out, ' ');
	bytes_append(out, definition->version);
	description(&writer, definition->description);
	if (definition->key)
		expression(&writer, "key", definition->key);
	input(&writer, definition);
	deadline(&writer, definition);
	use(&writer, definition);
	key(&writer, SLICE_LITERAL("steps"));
	write_steps(&writer, definition->steps, &definition->top);
	if (definition->output)
		arguments(&writer, "output", definition->output);
	bytes_add(out, '\n');
}

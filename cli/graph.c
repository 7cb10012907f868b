#include "cli/graph.h"
#include "base/duration.h"
#include "base/utf8.h"

#include <assert.h>

enum { DESCRIPTION_MAX = EXPRESSION_TEXT_MAX * 2 };

struct writer {
	struct arena *arena;
	struct graph_step *out;
	struct bytes line;
	bool nomem;
};

static void begin(struct writer *writer)
{
	writer->line = BYTES(DESCRIPTION_MAX, writer->arena);
}

static struct slice end(struct writer *writer)
{
	if (writer->line.err)
		writer->nomem = true;
	return bytes_slice(&writer->line);
}

static void end_line(struct writer *writer, bool is_undo)
{
	struct graph_step *out = writer->out;

	assert(out->n_lines < GRAPH_LINES_MAX);
	out->lines[out->n_lines++] = (struct graph_line){end(writer), is_undo};
}

static void add_command(struct writer *writer, const struct call *call)
{
	bytes_append(&writer->line, call->participant);
	bytes_add(&writer->line, '.');
	bytes_append(&writer->line, call->command);
}

static void add_duration(struct writer *writer, int64_t ms)
{
	char text[DURATION_TEXT_MAX];

	bytes_append(&writer->line, (struct slice){text, duration_format(ms, text)});
}

static struct slice describe_form(struct writer *writer, const struct step_definition *step)
{
	begin(writer);
	switch (step->form) {
	case FORM_CALL: add_command(writer, &step->call); break;
	case FORM_NOTHING: bytes_text(&writer->line, "only has an undo"); break;
	case FORM_PARALLEL: bytes_text(&writer->line, "in parallel"); break;
	case FORM_EACH:
		bytes_text(&writer->line, "for each ");
		bytes_append(&writer->line, step->as);
		bytes_text(&writer->line, " of ");
		bytes_append(&writer->line, step->in->text);
		bytes_format(&writer->line, ", at most %u", (unsigned)step->max);
		break;
	case FORM_SAGA:
		bytes_text(&writer->line, "child saga ");
		bytes_append(&writer->line, step->child);
		if (step->child_version.len) {
			bytes_add(&writer->line, '@');
			bytes_append(&writer->line, step->child_version);
		}
		break;
	case FORM_AWAIT:
		bytes_text(&writer->line, "waits for the event ");
		bytes_append(&writer->line, step->event);
		break;
	case FORM_SLEEP:
		bytes_text(&writer->line, "sleeps ");
		if (step->until) {
			bytes_text(&writer->line, "until ");
			bytes_append(&writer->line, step->until->text);
		} else {
			add_duration(writer, step->sleep_ms);
		}
		break;
	}
	return end(writer);
}

static void describe_kind(struct writer *writer, const struct step_definition *step)
{
	bool named = form_commands(step->form) && step->kind != KIND_COMPENSATABLE;

	if (!named && !step->ignore_failure)
		return;
	begin(writer);
	if (named)
		bytes_text(&writer->line, kind_text(step->kind));
	if (step->ignore_failure)
		bytes_format(&writer->line, "%sa failure is ignored", named ? ", " : "");
	end_line(writer, false);
}

static void describe_undo(struct writer *writer, const struct step_definition *step)
{
	if (!step->has_undo)
		return;
	begin(writer);
	if (step->form == FORM_SAGA)
		bytes_text(&writer->line, "undo of the child saga");
	else
		add_command(writer, &step->undo);
	if (step->undo_skip)
		bytes_text(&writer->line, ", skipped when it cannot be done");
	end_line(writer, true);
}

static void describe_timeout(struct writer *writer, const struct step_definition *step)
{
	if (step->form != FORM_AWAIT || step->await_ms == 0)
		return;
	begin(writer);
	bytes_text(&writer->line, "after ");
	add_duration(writer, step->await_ms);
	bytes_text(&writer->line, step->await_continue ? ": continue" : ": compensate");
	end_line(writer, false);
}

bool graph_describe(const struct definition *definition, uint32_t step, struct arena *arena,
		    struct graph_step *out)
{
	const struct step_definition *described = &definition->steps[step];
	struct writer writer = {.arena = arena, .out = out};

	*out = (struct graph_step){0};
	out->does = describe_form(&writer, described);
	if (described->when) {
		begin(&writer);
		bytes_text(&writer.line, "when ");
		bytes_append(&writer.line, described->when->text);
		end_line(&writer, false);
	}
	describe_timeout(&writer, described);
	describe_kind(&writer, described);
	describe_undo(&writer, described);
	return !writer.nomem;
}

bool graph_describe_head(const struct definition *definition, struct arena *arena,
			 struct slice lines[GRAPH_HEAD_MAX], size_t *n)
{
	struct writer writer = {.arena = arena};

	*n = 0;
	if (definition->key) {
		begin(&writer);
		bytes_text(&writer.line, "business key ");
		bytes_append(&writer.line, definition->key->text);
		lines[(*n)++] = end(&writer);
	}
	if (definition->deadline_ms) {
		begin(&writer);
		bytes_text(&writer.line, "deadline ");
		add_duration(&writer, definition->deadline_ms);
		bytes_text(&writer.line, ", then compensate");
		lines[(*n)++] = end(&writer);
	}
	return !writer.nomem;
}

bool graph_describe_output(const struct definition *definition, struct arena *arena,
			   struct slice *out)
{
	const struct template *output = definition->output;
	struct writer writer = {.arena = arena};

	*out = (struct slice){0};
	if (!output || output->kind != TEMPLATE_OBJECT || output->n_entries == 0)
		return true;
	writer.line = BYTES(DEFINITION_TEXT_MAX, arena);
	bytes_text(&writer.line, "with ");
	for (size_t i = 0; i < output->n_entries; i++) {
		if (i > 0)
			bytes_text(&writer.line, ", ");
		bytes_append(&writer.line, output->entries[i].name);
	}
	*out = end(&writer);
	return !writer.nomem;
}

struct slice graph_label(struct slice text)
{
	struct slice rest = text;
	uint32_t character;

	for (int i = 0; i < GRAPH_LABEL_MAX && rest.len; i++) {
		size_t len = utf8_decode(rest, &character);

		rest.at += len ? len : 1;
		rest.len -= len ? len : 1;
	}
	return (struct slice){text.at, text.len - rest.len};
}

#include "cli/saga_view.h"

#include "cli/canvas.h"
#include "cli/columns.h"
#include "cli/graph.h"
#include "cli/members.h"
#include "cli/spans.h"
#include "orchestrator/load/load.h"

#include <inttypes.h>
#include <stdio.h>

enum { VALUE_LINES = 6, LABEL_COLUMNS = 10, ENTRY_LINES = 8 };

/* --- words ------------------------------------------------------------------------ */

enum tone status_tone(struct slice status)
{
	if (slice_is(status, "completed"))
		return TONE_GREEN;
	if (slice_is(status, "parked") || slice_is(status, "killed"))
		return TONE_RED;
	if (slice_is(status, "compensating") || slice_is(status, "compensated"))
		return TONE_YELLOW;
	return TONE_BLUE;
}

bool status_goes_on(struct slice status)
{
	return slice_is(status, "running") || slice_is(status, "compensating");
}

static enum tone state_tone(struct slice state)
{
	static const struct {
		const char *state;
		enum tone tone;
	} tones[] = {
		{"waiting", TONE_DIM},         {"running", TONE_BLUE},
		{"backoff", TONE_YELLOW},      {"done", TONE_GREEN},
		{"refused", TONE_RED},         {"skipped", TONE_DIM},
		{"in doubt", TONE_YELLOW},     {"undoing", TONE_YELLOW},
		{"undo-backoff", TONE_YELLOW}, {"undone", TONE_YELLOW},
		{"parked", TONE_RED},          {"never", TONE_DIM},
	};

	for (size_t i = 0; i < sizeof tones / sizeof *tones; i++) {
		if (slice_is(state, tones[i].state))
			return tones[i].tone;
	}
	return TONE_PLAIN;
}

/* --- the graph -------------------------------------------------------------------- */

/* A step as the server shows it; of many elements there is one for each. */
struct shown_step {
	struct slice name; /* without the element */
	struct slice state;
	struct json json;
};

struct marking {
	const struct definition *definition;
	struct shown_step *steps;
	size_t n_steps;
	int64_t now_ms;
	struct arena *arena;
};

static bool read_steps(struct marking *marking, struct json steps)
{
	struct json_each each = json_each(steps);

	marking->steps =
		arena_array(marking->arena, json_size(steps) + 1, sizeof *marking->steps);
	if (!marking->steps)
		return false;
	while (json_next(&each)) {
		struct slice name = member_text(each.value, "name", marking->arena);
		const char *element = name.len ? memchr(name.at, '#', name.len) : NULL;

		if (element)
			name.len = (size_t)(element - name.at);
		marking->steps[marking->n_steps++] = (struct shown_step){
			name, member_text(each.value, "state", marking->arena), each.value};
	}
	return true;
}

static bool is_tried(struct slice state)
{
	return slice_is(state, "running") || slice_is(state, "backoff") ||
	       slice_is(state, "undoing") || slice_is(state, "undo-backoff") ||
	       slice_is(state, "parked");
}

static void set_mark(struct graph_mark *mark, struct slice text, enum tone tone)
{
	struct slice cut = utf8_cut(text, sizeof mark->text - 1);

	snprintf(mark->text, sizeof mark->text, "%.*s", SLICE_ARG(cut));
	mark->tone = tone;
}

/* "12 done, 1 parked": of many elements, with the tone of what wants to be looked at
 * most. */
static void mark_many(const struct marking *marking, struct slice name, struct graph_mark *mark)
{
	static const char *const states[] = {
		"parked",  "refused", "in doubt", "undo-backoff", "backoff", "undoing",
		"running", "waiting", "done",     "undone",       "skipped", "never",
	};
	struct bytes text = BYTES(SIZE_MAX / 2, marking->arena);
	enum tone tone = TONE_PLAIN;

	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		size_t n = 0;

		for (size_t k = 0; k < marking->n_steps; k++)
			n += slice_equal(marking->steps[k].name, name) &&
			     slice_is(marking->steps[k].state, states[i]);
		if (!n)
			continue;
		tone = text.len ? tone : state_tone(slice_of(states[i]));
		bytes_format(&text, "%s%zu %s", text.len ? ", " : "", n, states[i]);
	}
	set_mark(mark, bytes_slice(&text), tone);
}

/* "backoff, attempt 3 of 5, 1.2s to go", "refused: card_declined", "running, held: window
 * of 50 full" */
static void mark_one(const struct marking *marking, struct json step, struct graph_mark *mark)
{
	struct bytes text = BYTES(SIZE_MAX / 2, marking->arena);
	char span[SPAN_TEXT_SIZE];
	struct slice state, held, code;
	int64_t attempt, most, due_ms;

	state = member_text(step, "state", marking->arena);
	attempt = member_number(step, "attempt");
	most = member_number(step, "attempts_max");
	due_ms = member_time(step, "due_at");
	held = member_text(member_json(step, "held"), "text", marking->arena);
	code = member_text(member_json(step, "error"), "code", marking->arena);
	bytes_append(&text, state);
	if (is_tried(state) && attempt > 1)
		bytes_format(&text, ", attempt %" PRId64, attempt);
	if (is_tried(state) && attempt > 1 && most)
		bytes_format(&text, " of %" PRId64, most);
	if (due_ms > marking->now_ms) {
		span_format(due_ms - marking->now_ms, span);
		bytes_format(&text, ", %s to go", span);
	}
	if (held.len) {
		bytes_text(&text, ", held: ");
		bytes_append(&text, held);
	} else if (code.len && !slice_is(state, "done")) {
		bytes_text(&text, ": ");
		bytes_append(&text, code);
	}
	set_mark(mark, bytes_slice(&text), state_tone(state));
}

static void mark_step(void *context, uint32_t index, struct graph_mark *mark)
{
	const struct marking *marking = context;
	struct slice name = marking->definition->steps[index].name;
	size_t n = 0, found = 0;

	for (size_t k = 0; k < marking->n_steps; k++)
		if (slice_equal(marking->steps[k].name, name)) {
			n++;
			found = k;
		}
	if (n == 1)
		mark_one(marking, marking->steps[found].json, mark);
	else
		mark_many(marking, name, mark);
}

void saga_view_definition(struct remote *remote, struct json saga, struct arena *arena,
			  struct definition **out)
{
	struct bytes path = BYTES(REMOTE_PATH_MAX, arena);
	struct problems problems = {.arena = arena};
	struct remote_request request = {"GET", NULL, {0}, arena};
	struct remote_answer answer;

	*out = NULL;
	bytes_text(&path, "/v1/definitions/");
	remote_escape(&path, member_text(saga, "hash", arena));
	bytes_add(&path, '\0');
	if (path.err)
		return;
	request.path = path.at;
	remote_ask(remote, &request, &answer);
	if (answer.code || load_text("definition", answer.text, NULL, &problems, out))
		*out = NULL;
}

/* --- the head --------------------------------------------------------------------- */

struct page {
	struct canvas canvas;
	struct json saga;
	struct arena *arena;
	int64_t now_ms;
	size_t y;
};

static void add_line(struct page *page, const char *label, struct slice text, enum tone tone)
{
	size_t room = page->canvas.width > 2 * LABEL_COLUMNS
			      ? page->canvas.width - LABEL_COLUMNS
			      : LABEL_COLUMNS;

	canvas_text(&page->canvas, 0, page->y, slice_of(label), TONE_DIM);
	page->y += canvas_wrap(&page->canvas, LABEL_COLUMNS, page->y, room, VALUE_LINES, text,
			       tone);
}

static void add_member(struct page *page, const char *label, const char *name, enum tone tone)
{
	struct slice text = member_text(page->saga, name, page->arena);

	if (text.len)
		add_line(page, label, text, tone);
}

/* "ship: order-17:ship.5f0c8e1b2a9d4c37": what the steps have begun. */
static void add_children(struct page *page)
{
	struct json_each each = json_each(member_json(page->saga, "steps"));

	while (json_next(&each)) {
		struct bytes text = BYTES(SIZE_MAX / 2, page->arena);
		struct slice child = member_text(each.value, "child", page->arena);

		if (!child.len)
			continue;
		bytes_append(&text, member_text(each.value, "name", page->arena));
		bytes_text(&text, ": ");
		bytes_append(&text, child);
		add_line(page, "child", bytes_slice(&text), TONE_PLAIN);
	}
}

struct slice saga_view_absent(struct json saga, struct arena *arena)
{
	struct json absent = member_json(saga, "absent");
	struct json_each each = json_each(absent);
	struct bytes names = BYTES(SIZE_MAX / 2, arena);
	struct slice name;

	while (json_next(&each)) {
		if (!json_text(each.value, arena, &name))
			break;
		bytes_text(&names, names.len ? ", " : "");
		bytes_append(&names, name);
	}
	return bytes_slice(&names);
}

/* Nothing happens before they are there. */
static void add_absent(struct page *page)
{
	struct slice names = saga_view_absent(page->saga, page->arena);
	struct bytes text = BYTES(SIZE_MAX / 2, page->arena);

	if (!names.len)
		return;
	bytes_text(&text, "it waits for ");
	bytes_append(&text, names);
	bytes_text(&text, ", of which nothing is connected");
	add_line(page, "absent", bytes_slice(&text), TONE_RED);
}

static void add_value(struct page *page, const char *label)
{
	struct json value = member_json(page->saga, label);

	if (json_type(value) != JSON_NULL)
		add_line(page, label, value.text, TONE_PLAIN);
}

/* "2025-03-01 09:30:00Z, 3m12s ago" */
static void add_time(struct page *page, const char *label, const char *name)
{
	char time[TIME_TEXT_SIZE], span[SPAN_TEXT_SIZE], text[64];
	int64_t at_ms = member_time(page->saga, name);

	if (!at_ms)
		return;
	time_format(at_ms, time);
	span_format(at_ms > page->now_ms ? at_ms - page->now_ms : page->now_ms - at_ms, span);
	snprintf(text, sizeof text, at_ms > page->now_ms ? "%s, in %s" : "%s, %s ago", time,
		 span);
	add_line(page, label, slice_of(text), TONE_PLAIN);
}

static void add_head(struct page *page)
{
	struct slice status = member_text(page->saga, "status", page->arena);
	int64_t started_ms = member_time(page->saga, "started_at");
	int64_t ended_ms = member_time(page->saga, "ended_at");
	char span[SPAN_TEXT_SIZE];
	size_t x;

	x = canvas_text(&page->canvas, 0, page->y, member_text(page->saga, "id", page->arena),
			TONE_BOLD);
	x = canvas_text(&page->canvas, x + 2, page->y, status, status_tone(status));
	if (member_bool(page->saga, "paused"))
		x = canvas_text(&page->canvas, x, page->y, SLICE_LITERAL(", paused"),
				TONE_YELLOW);
	if (ended_ms) {
		span_format(ended_ms - started_ms, span);
		x = canvas_text(&page->canvas, x, page->y, SLICE_LITERAL(" after "),
				TONE_PLAIN);
		canvas_text(&page->canvas, x, page->y, slice_of(span), TONE_PLAIN);
	}
	page->y++;
	add_member(page, "key", "key", TONE_PLAIN);
	add_member(page, "parent", "parent", TONE_PLAIN);
	add_children(page);
	add_member(page, "reason", "reason", status_tone(status));
	add_absent(page);
	add_member(page, "not known", "incomplete", TONE_YELLOW);
	add_time(page, "started", "started_at");
	add_time(page, ended_ms ? "ended" : "updated", ended_ms ? "ended_at" : "updated_at");
	if (!ended_ms)
		add_time(page, "deadline", "deadline_at");
	add_value(page, "input");
	add_value(page, "output");
	page->y++;
}

/* --- steps without a picture ------------------------------------------------------ */

/* The definition cannot be had: a list of the steps has to do. */
static enum err write_steps(const struct terminal *terminal, struct json steps,
			    struct arena *arena, struct bytes *out)
{
	struct columns table = {.arena = arena, .n_columns = 2};
	struct json_each each = json_each(steps);
	enum err err;

	while (json_next(&each)) {
		struct slice state = member_text(each.value, "state", arena);
		struct cell_text cells[COLUMNS_MAX] = {
			{member_text(each.value, "name", arena), TONE_PLAIN},
			{state, state_tone(state)}};

		columns_add(&table, cells);
	}
	err = columns_write(&table, terminal, out);
	return err;
}

static enum err write_picture(const struct terminal *terminal, struct json saga,
			      const struct definition *definition, int64_t now_ms,
			      struct arena *arena, struct bytes *out)
{
	struct json steps = member_json(saga, "steps");
	struct marking marking = {.definition = definition, .now_ms = now_ms, .arena = arena};
	const struct graph_style style = {.width = terminal->width,
					  .ascii = !terminal->utf8,
					  .colour = terminal->colour,
					  .mark = mark_step,
					  .context = &marking};

	if (!definition)
		return write_steps(terminal, steps, arena, out);
	if (!read_steps(&marking, steps))
		return ERR_NOMEM;
	return graph_text(definition, &style, out);
}

/* --- the timeline ----------------------------------------------------------------- */

static void add_span(char text[SPAN_TEXT_SIZE + 1], int64_t ms)
{
	text[0] = '+';
	if (ms < 60 * 1000)
		snprintf(text + 1, SPAN_TEXT_SIZE, "%" PRId64 ".%03" PRId64 "s",
			 (ms < 0 ? 0 : ms) / 1000, (ms < 0 ? 0 : ms) % 1000);
	else
		span_format(ms, text + 1);
}

static enum tone entry_tone(struct slice what)
{
	if (slice_is(what, "refused") || slice_is(what, "parked") || slice_is(what, "error"))
		return TONE_RED;
	if (slice_is(what, "failed") || slice_is(what, "timeout") ||
	    slice_is(what, "turned back") || slice_is(what, "in doubt") ||
	    slice_is(what, "expired") || slice_is(what, "deadline"))
		return TONE_YELLOW;
	return slice_is(what, "ended") || slice_is(what, "operation") ? TONE_BOLD : TONE_PLAIN;
}

static size_t draw_entry(struct canvas *canvas, size_t y, struct json entry, int64_t origin_ms,
			 struct arena *arena)
{
	enum { AT = 2, TEXT_AT = 12 };
	char span[SPAN_TEXT_SIZE + 1];
	size_t room = canvas->width > 2 * TEXT_AT ? canvas->width - TEXT_AT : TEXT_AT;

	add_span(span, member_time(entry, "at") - origin_ms);
	canvas_text(canvas, AT, y, slice_of(span), TONE_DIM);
	return y + canvas_wrap(canvas, TEXT_AT, y, room, ENTRY_LINES,
			       member_text(entry, "text", arena),
			       entry_tone(member_text(entry, "what", arena)));
}

void saga_view_entry(const struct terminal *terminal, struct json entry, int64_t origin_ms,
		     struct arena *arena, struct bytes *out)
{
	struct canvas canvas = {
		.arena = arena, .width = terminal->width, .ascii = !terminal->utf8};

	draw_entry(&canvas, 0, entry, origin_ms, arena);
	canvas_write(&canvas, terminal->colour, out);
	if (canvas.nomem && !out->err)
		out->err = ERR_NOMEM;
}

static void add_timeline(struct page *page)
{
	struct json_each each = json_each(member_json(page->saga, "timeline"));
	int64_t origin_ms = member_time(page->saga, "started_at");
	int64_t folded = member_number(page->saga, "timeline_folded");
	char text[64];
	bool first = true;

	canvas_text(&page->canvas, 0, page->y++, SLICE_LITERAL("what happened"), TONE_BOLD);
	while (json_next(&each)) {
		page->y =
			draw_entry(&page->canvas, page->y, each.value, origin_ms, page->arena);
		if (first && folded) {
			snprintf(text, sizeof text, "... %" PRId64 " older entries ...",
				 folded);
			canvas_text(&page->canvas, 2, page->y++, slice_of(text), TONE_DIM);
		}
		first = false;
	}
}

/* --- what can be done ------------------------------------------------------------- */

static void add_help(struct page *page)
{
	struct slice status = member_text(page->saga, "status", page->arena);
	struct slice id = member_text(page->saga, "id", page->arena);
	struct json_each each = json_each(member_json(page->saga, "steps"));
	struct bytes text = BYTES(SIZE_MAX / 2, page->arena);

	if (!slice_is(status, "parked"))
		return;
	while (json_next(&each)) {
		struct slice name = member_text(each.value, "name", page->arena);

		if (!slice_is(member_text(each.value, "state", page->arena), "parked"))
			continue;
		bytes_clear(&text);
		bytes_append(&text, name);
		bytes_text(&text, " waits for a person: `skald retry ");
		bytes_append(&text, id);
		bytes_add(&text, ' ');
		bytes_append(&text, name);
		bytes_text(&text, "` tries it again, `skald skip ");
		bytes_append(&text, id);
		bytes_add(&text, ' ');
		bytes_append(&text, name);
		bytes_text(&text, "` goes on without it");
		page->y++;
		page->y += canvas_wrap(&page->canvas, 0, page->y, page->canvas.width,
				       VALUE_LINES, bytes_slice(&text), TONE_YELLOW);
	}
}

/* --- all of it -------------------------------------------------------------------- */

static struct page page_of(const struct terminal *terminal, struct json saga, int64_t now_ms,
			   struct arena *arena)
{
	return (struct page){
		.canvas = {.arena = arena, .width = terminal->width, .ascii = !terminal->utf8},
		.saga = saga,
		.arena = arena,
		.now_ms = now_ms};
}

enum err saga_view_write(const struct terminal *terminal, struct json saga,
			 const struct definition *definition, int64_t now_ms,
			 struct arena *arena, struct bytes *out)
{
	struct page head = page_of(terminal, saga, now_ms, arena);
	struct page rest = page_of(terminal, saga, now_ms, arena);
	enum err err;

	add_head(&head);
	canvas_write(&head.canvas, terminal->colour, out);
	bytes_add(out, '\n');
	err = write_picture(terminal, saga, definition, now_ms, arena, out);
	if (err)
		return err;
	bytes_add(out, '\n');
	add_timeline(&rest);
	add_help(&rest);
	canvas_write(&rest.canvas, terminal->colour, out);
	return head.canvas.nomem || rest.canvas.nomem ? ERR_NOMEM : out->err;
}

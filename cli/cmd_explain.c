/* skald explain, and skald undo-plan: both show what the server works out. */
#include "base/clock.h"
#include "cli/canvas.h"
#include "cli/members.h"
#include "cli/saga_view.h"
#include "cli/spans.h"

#include <inttypes.h>
#include <stdio.h>

enum { LABEL_COLUMNS = 11, TIME_COLUMNS = 12, LINES_MAX = 12 };

/* --- the page --------------------------------------------------------------------- */

struct sheet {
	struct canvas canvas;
	struct arena *arena;
	const char
		*server; /* as it was given with a flag, for commands to be pasted; or NULL */
	int64_t now_ms;
	size_t y;
};

static size_t room_from(const struct sheet *sheet, size_t x)
{
	return sheet->canvas.width > 2 * x ? sheet->canvas.width - x : x;
}

static void add_text(struct sheet *sheet, size_t x, struct slice text, enum tone tone)
{
	sheet->y += canvas_wrap(&sheet->canvas, x, sheet->y, room_from(sheet, x), LINES_MAX,
				text, tone);
}

static void add_labelled(struct sheet *sheet, const char *label, struct slice text)
{
	if (!text.len)
		return;
	canvas_text(&sheet->canvas, 0, sheet->y, slice_of(label), TONE_DIM);
	add_text(sheet, LABEL_COLUMNS, text, TONE_PLAIN);
}

static void add_heading(struct sheet *sheet, const char *text)
{
	sheet->y++;
	canvas_text(&sheet->canvas, 0, sheet->y++, slice_of(text), TONE_BOLD);
}

static void add_head(struct sheet *sheet, struct json saga)
{
	struct slice status = member_text(saga, "status", sheet->arena);
	size_t x = canvas_text(&sheet->canvas, 0, sheet->y,
			       member_text(saga, "id", sheet->arena), TONE_BOLD);

	x = canvas_text(&sheet->canvas, x + 2, sheet->y, status, status_tone(status));
	if (member_bool(saga, "paused"))
		canvas_text(&sheet->canvas, x, sheet->y, SLICE_LITERAL(", paused"),
			    TONE_YELLOW);
	sheet->y++;
}

/* "in 4.2s", "12s ago" */
static void put_when(const struct sheet *sheet, int64_t at_ms, struct bytes *out)
{
	char span[SPAN_TEXT_SIZE];
	bool ahead = at_ms > sheet->now_ms;

	span_format(ahead ? at_ms - sheet->now_ms : sheet->now_ms - at_ms, span);
	bytes_format(out, ahead ? "in %s" : "%s ago", span);
}

/* --- explain ---------------------------------------------------------------------- */

/* A line that is to be pasted is never broken. */
static void add_command(struct sheet *sheet, size_t x, struct slice command)
{
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);

	bytes_append(&text, command);
	if (sheet->server) {
		bytes_text(&text, " --server ");
		bytes_text(&text, sheet->server);
	}
	canvas_text(&sheet->canvas, x, sheet->y++, bytes_slice(&text), TONE_BOLD);
}

static void add_look(struct sheet *sheet, struct slice command)
{
	if (!command.len)
		return;
	canvas_text(&sheet->canvas, 0, sheet->y, SLICE_LITERAL("  look"), TONE_DIM);
	add_command(sheet, LABEL_COLUMNS, command);
}

static void add_wait(struct sheet *sheet, struct json wait)
{
	int64_t since_ms = member_time(wait, "since"), until_ms = member_time(wait, "until");
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);
	char span[SPAN_TEXT_SIZE];

	bytes_append(&text, member_text(wait, "text", sheet->arena));
	if (since_ms) {
		span_format(sheet->now_ms - since_ms, span);
		bytes_format(&text, "; for %s by now", span);
	}
	if (until_ms) {
		span_format(until_ms - sheet->now_ms, span);
		bytes_format(&text, "%s %s to go", since_ms ? "," : ";", span);
	}
	add_labelled(sheet, "waits for", bytes_slice(&text));
	add_labelled(sheet, "  held",
		     member_text(member_json(wait, "held"), "advice", sheet->arena));
	add_labelled(sheet, "  then", member_text(wait, "next", sheet->arena));
	add_look(sheet, member_text(wait, "look", sheet->arena));
}

/* "pack: 12 of 50 elements are through, 2 are parked" */
static void add_progress(struct sheet *sheet, struct json progress)
{
	int64_t parked = member_number(progress, "parked");
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);

	bytes_append(&text, member_text(progress, "step", sheet->arena));
	bytes_format(&text, ": %" PRId64 " of %" PRId64 " elements through",
		     member_number(progress, "settled"), member_number(progress, "elements"));
	if (parked)
		bytes_format(&text, ", %" PRId64 " parked", parked);
	add_labelled(sheet, "so far", bytes_slice(&text));
}

/* A child saga goes on by itself, whatever its parent waits for. */
static const char *said_of_silence(struct json waits)
{
	struct json_each each = json_each(waits);

	while (json_next(&each))
		if (json_type(member_json(each.value, "child")) == JSON_TEXT)
			return "nothing here: no time is running but that of the child saga";
	return "nothing happens: no time is running";
}

static void add_silence(struct sheet *sheet, struct json explanation)
{
	struct json silence = member_json(explanation, "silence");
	struct json_each each = json_each(silence);

	if (json_size(silence))
		add_heading(sheet, "if nothing comes");
	while (json_next(&each)) {
		struct bytes when = BYTES(64, sheet->arena);

		put_when(sheet, member_time(each.value, "at"), &when);
		canvas_text(&sheet->canvas, 2, sheet->y, bytes_slice(&when), TONE_DIM);
		add_text(sheet, 2 + TIME_COLUMNS, member_text(each.value, "text", sheet->arena),
			 TONE_PLAIN);
	}
	if (!json_size(silence) && json_size(member_json(explanation, "waits"))) {
		add_heading(sheet, "if nothing comes");
		canvas_text(&sheet->canvas, 2, sheet->y++,
			    slice_of(said_of_silence(member_json(explanation, "waits"))),
			    TONE_PLAIN);
	}
}

/* "; likewise of each of the 12 elements that wait like it" */
static void add_action_text(struct sheet *sheet, struct json action)
{
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);
	size_t n = json_size(member_json(action, "elements"));

	bytes_append(&text, member_text(action, "text", sheet->arena));
	if (n > 1)
		bytes_format(&text, "; likewise for each of the %zu elements that wait alike",
			     n);
	add_text(sheet, 6, bytes_slice(&text), TONE_DIM);
}

static void add_actions(struct sheet *sheet, struct json explanation)
{
	struct json_each each = json_each(member_json(explanation, "actions"));

	if (json_size(member_json(explanation, "actions")))
		add_heading(sheet, "what you can do");
	while (json_next(&each)) {
		add_command(sheet, 2, member_text(each.value, "command", sheet->arena));
		add_action_text(sheet, each.value);
	}
}

static void add_parent(struct sheet *sheet, struct json explanation)
{
	struct slice parent = member_text(explanation, "parent", sheet->arena);
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);

	if (!parent.len)
		return;
	bytes_text(&text, "a child saga of ");
	bytes_append(&text, parent);
	bytes_text(&text, ", which waits for its end");
	add_labelled(sheet, "parent", bytes_slice(&text));
	add_look(sheet, member_text(explanation, "parent_look", sheet->arena));
}

static void draw_explanation(struct sheet *sheet, struct json explanation)
{
	struct json_each each = json_each(member_json(explanation, "progress"));
	struct bytes deadline = BYTES(64, sheet->arena);
	int64_t deadline_ms = member_time(explanation, "deadline_at");
	struct slice no_cancel = member_text(explanation, "no_cancel", sheet->arena);

	add_head(sheet, explanation);
	add_labelled(sheet, "not known", member_text(explanation, "incomplete", sheet->arena));
	add_labelled(sheet, "why", member_text(explanation, "cause", sheet->arena));
	add_parent(sheet, explanation);
	if (deadline_ms) {
		put_when(sheet, deadline_ms, &deadline);
		add_labelled(sheet, "deadline", bytes_slice(&deadline));
	}
	while (json_next(&each))
		add_progress(sheet, each.value);
	each = json_each(member_json(explanation, "waits"));
	while (json_next(&each))
		add_wait(sheet, each.value);
	add_silence(sheet, explanation);
	add_actions(sheet, explanation);
	if (no_cancel.len)
		sheet->y++;
	add_labelled(sheet, "no return", no_cancel);
}

/* --- undo-plan -------------------------------------------------------------------- */

enum { PLAN_INDENT = 4 }; /* of the plan of a child saga, in that of its parent */

static void put_what(struct sheet *sheet, struct json planned, struct bytes *out)
{
	struct slice what = member_text(planned, "what", sheet->arena);
	bool sent = member_bool(planned, "sent");

	if (slice_is(what, "answer"))
		bytes_text(out, "waits for the answer to the do of ");
	else if (slice_is(what, "revoke"))
		bytes_text(out, sent ? "waits for the answer to the revoke of " : "revokes ");
	else if (slice_is(what, "undo"))
		bytes_text(out, sent ? "waits for the undo of " : "undoes ");
	else if (slice_is(what, "person"))
		bytes_text(out, "a person is needed for the undo of ");
	else
		bytes_text(out, "is held back by that: the undo of ");
}

static void put_planned(struct sheet *sheet, struct json planned, struct bytes *out)
{
	struct slice command = member_text(planned, "command", sheet->arena);
	struct json child = member_json(planned, "child");

	put_what(sheet, planned, out);
	bytes_append(out, member_text(planned, "step", sheet->arena));
	bytes_text(out, "  ");
	if (json_type(child) == JSON_OBJECT) {
		bytes_text(out, "child saga ");
		bytes_append(out, member_text(child, "id", sheet->arena));
	}
	bytes_append(out, member_text(planned, "participant", sheet->arena));
	if (command.len) {
		bytes_add(out, '.');
		bytes_append(out, command);
	}
	if (json_type(member_json(planned, "args")) != JSON_NULL) {
		bytes_add(out, ' ');
		bytes_append(out, member_json(planned, "args").text);
	}
	if (member_bool(planned, "args_open"))
		bytes_text(out, " (with what its do will have answered)");
}

static void add_plan(struct sheet *sheet, struct json plan, size_t x);

/* What turning the child back does. */
static void add_child_plan(struct sheet *sheet, struct json child, size_t x)
{
	struct slice look = member_text(child, "look", sheet->arena);
	struct slice refused = member_text(child, "refused", sheet->arena);

	if (json_type(child) != JSON_OBJECT)
		return;
	if (look.len)
		add_text(sheet, x, SLICE_LITERAL("what that undoes is not shown here"),
			 TONE_DIM);
	else if (refused.len)
		add_text(sheet, x, refused, TONE_YELLOW);
	else if (!json_size(member_json(child, "plan")))
		add_text(sheet, x, SLICE_LITERAL("nothing in it has to be undone"), TONE_DIM);
	if (look.len)
		add_command(sheet, x, look);
	else
		add_plan(sheet, child, x);
}

static void add_plan(struct sheet *sheet, struct json plan, size_t x)
{
	struct json_each each = json_each(member_json(plan, "plan"));
	int64_t wave = 0;

	while (json_next(&each)) {
		struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);
		char number[24] = "";

		if (member_number(each.value, "wave") != wave) {
			wave = member_number(each.value, "wave");
			snprintf(number, sizeof number, "%" PRId64 ".", wave);
		}
		canvas_text(&sheet->canvas, x, sheet->y, slice_of(number), TONE_BOLD);
		put_planned(sheet, each.value, &text);
		add_text(sheet, x + PLAN_INDENT, bytes_slice(&text), TONE_PLAIN);
		add_child_plan(sheet, member_json(each.value, "child"), x + PLAN_INDENT);
	}
}

static void add_left(struct sheet *sheet, struct json plan)
{
	struct json_each each = json_each(member_json(plan, "left"));

	if (json_size(member_json(plan, "left")))
		add_heading(sheet, "left as it is");
	while (json_next(&each)) {
		struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);

		bytes_append(&text, member_text(each.value, "step", sheet->arena));
		bytes_text(&text, ": ");
		bytes_append(&text, member_text(each.value, "why", sheet->arena));
		add_text(sheet, 2, bytes_slice(&text), TONE_DIM);
	}
}

static const char *plan_heading(struct json plan, struct arena *arena)
{
	if (!json_size(member_json(plan, "plan")))
		return "nothing has to be undone";
	if (member_bool(plan, "turning"))
		return "it turns back already; what is still to come";
	return slice_is(member_text(plan, "operation", arena), "undo") ? "an undo would now"
								       : "a cancel would now";
}

static void draw_plan(struct sheet *sheet, struct json plan)
{
	struct slice refused = member_text(plan, "refused", sheet->arena);

	add_head(sheet, plan);
	add_labelled(sheet, "not known", member_text(plan, "incomplete", sheet->arena));
	if (refused.len) {
		add_labelled(sheet, "no return", refused);
		return;
	}
	add_heading(sheet, plan_heading(plan, sheet->arena));
	if (member_bool(plan, "paused"))
		add_text(sheet, 2, SLICE_LITERAL("(once it is resumed: it is paused)"),
			 TONE_YELLOW);
	add_plan(sheet, plan, 2);
	if (member_bool(plan, "parks"))
		add_text(sheet, 2, SLICE_LITERAL("and then be parked, until a person helps"),
			 TONE_YELLOW);
	add_left(sheet, plan);
}

/* --- the commands ----------------------------------------------------------------- */

static enum exit_code print_sheet(struct cli *cli, struct json json,
				  void (*draw)(struct sheet *sheet, struct json json))
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	struct sheet sheet = {.canvas = {.arena = cli->arena,
					 .width = cli->out.width,
					 .ascii = !cli->out.utf8},
			      .arena = cli->arena,
			      .server = options_origin(cli->options, "server") == ORIGIN_FLAG
						? options_text(cli->options, "server")
						: NULL,
			      .now_ms = clock_now_ms(clock_system())};

	if (cli->json) {
		bytes_append(&out, json.text);
		bytes_add(&out, '\n');
	} else {
		draw(&sheet, json);
		canvas_write(&sheet.canvas, cli->out.colour, &out);
	}
	if (sheet.canvas.nomem || out.err)
		return complain_err(cli, out.err ? out.err : ERR_NOMEM);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code show(struct cli *cli, const char *behind,
			   void (*draw)(struct sheet *sheet, struct json json),
			   struct json *answer)
{
	struct remote remote;
	enum exit_code code;
	const char *path;

	if (cli->options->n_args != 1)
		return complain_usage(cli, "give the ID of one saga");
	path = remote_saga_path(cli->arena, cli->options->args[0], behind);
	if (!path)
		return complain_err(cli, ERR_NOMEM);
	code = remote_open(cli, &remote);
	if (code)
		return code;
	code = remote_call(&remote, "GET", path, (struct slice){0}, cli->arena, answer);
	remote_close(&remote);
	return code ? code : print_sheet(cli, *answer, draw);
}

static const char explain_manual[] =
	"Says why a saga is where it is, what it waits for and what happens once that\n"
	"comes, what happens if nothing comes any more (every attempt and timer, up to\n"
	"the first thing that changes its way), and which operations it would take\n"
	"now, each as a command to paste.\n"
	"\n"
	"  skald explain order-17\n"
	"  skald explain order-17 --json | jq -r '.actions[].command'";

static enum exit_code run_explain(struct cli *cli)
{
	struct json answer;

	return show(cli, "/explain", draw_explanation, &answer);
}

const struct subcommand subcommand_explain = {
	.name = "explain",
	.brief = "say what a saga waits for, and what can be done",
	.usage = {.program = "skald explain",
		  .arguments = "ID",
		  .summary = explain_manual,
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run_explain,
};

static const char undo_plan_manual[] =
	"Shows what a cancel would do now, as long as every undo succeeds: which undos\n"
	"it sends, in which order and with which arguments, which answers it waits for\n"
	"first, what is revoked, and what is left as it is. What has one number\n"
	"happens at the same time. Of a completed saga it shows what `skald undo`\n"
	"would do, and of one that turns back already what is still to come. Nothing\n"
	"is changed.\n"
	"\n"
	"Exits 7 where a cancel would be refused.\n"
	"\n"
	"  skald undo-plan order-17";

static const struct option undo_plan_options[] = {
	{.name = "reason",
	 .letter = 'r',
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .help = "as of the cancel, where an undo is told why"},
};

static enum exit_code run_undo_plan(struct cli *cli)
{
	const char *reason = options_text(cli->options, "reason");
	struct bytes behind = BYTES(REMOTE_PATH_MAX, cli->arena);
	struct json answer;
	enum exit_code code;

	bytes_text(&behind, "/undo-plan");
	if (reason) {
		bytes_text(&behind, "?reason=");
		remote_escape(&behind, slice_of(reason));
	}
	bytes_add(&behind, '\0');
	if (behind.err)
		return complain_err(cli, behind.err);
	code = show(cli, behind.at, draw_plan, &answer);
	if (!code && member_text(answer, "refused", cli->arena).len)
		return EXIT_REFUSED;
	return code;
}

const struct subcommand subcommand_undo_plan = {
	.name = "undo-plan",
	.brief = "show what a cancel would undo now",
	.usage = {.program = "skald undo-plan",
		  .arguments = "ID",
		  .summary = undo_plan_manual,
		  .own = {undo_plan_options,
			  sizeof undo_plan_options / sizeof *undo_plan_options},
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run_undo_plan,
};

/* skald diff */
#include "base/json_line.h"
#include "cli/canvas.h"
#include "cli/members.h"
#include "cli/report.h"
#include "cli/saga_view.h"
#include "orchestrator/explain/diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const char manual[] =
	"Compares two definitions, each of which is a FILE (- is standard input) or\n"
	"one that the server knows: NAME@VERSION, or NAME for its newest version.\n"
	"Formatting, comments and names of retry policies do not count.\n"
	"\n"
	"A definition never changes, so that sagas on their way keep to the one that\n"
	"they began with. How many these are is told where one of the two is the\n"
	"server's; two files are compared without it. For each step that a saga may\n"
	"have reached by A it shows what would be different if it had begun with B:\n"
	"what it would still do, what a cancel would undo, and what it has done that\n"
	"it would not have, and the other way round.\n"
	"\n"
	"  skald diff order@1.0.0 order\n"
	"  skald diff order sagas/order.yaml";

enum { SIDES = 2, LISTED = 1000 };

struct comparison {
	struct cli *cli;
	struct remote remote;
	bool is_open;
	struct definition *sides[SIDES];
	struct diff diff;
	bool counted;
	uint64_t in_flight[SIDES], elsewhere; /* unfinished sagas, by version */
};

/* --- finding the two ---------------------------------------------------------------- */

static enum exit_code open_once(struct comparison *comparison)
{
	enum exit_code code;

	if (comparison->is_open)
		return EXIT_DONE;
	code = remote_open(comparison->cli, &comparison->remote);
	comparison->is_open = !code;
	return code;
}

/* A name has neither a slash nor, but in its version, a point. */
static bool is_file(const char *name)
{
	return strcmp(name, "-") == 0 || strchr(name, '/') ||
	       name[strcspn(name, ".@")] == '.' || access(name, F_OK) == 0;
}

/* The line of the list; null: there is none. */
static struct json find_listed(struct json list, struct slice name, struct slice version,
			       struct arena *arena)
{
	struct json_each each = json_each(list);

	while (json_next(&each)) {
		if (slice_equal(member_text(each.value, "saga", arena), name) &&
		    (version.len
			     ? slice_equal(member_text(each.value, "version", arena), version)
			     : member_bool(each.value, "newest")))
			return each.value;
	}
	return JSON_OF("null");
}

static enum exit_code load_deployed(struct comparison *comparison, const char *text,
				    struct definition **out)
{
	struct cli *cli = comparison->cli;
	const char *at = strchr(text, '@');
	struct slice name = {text, at ? (size_t)(at - text) : strlen(text)};
	struct json answer, listed;
	enum exit_code code = open_once(comparison);

	if (!code)
		code = remote_call(&comparison->remote, "GET", "/v1/definitions",
				   (struct slice){0}, cli->arena, &answer);
	if (code)
		return code;
	listed = find_listed(member_json(answer, "definitions"), name,
			     slice_of(at ? at + 1 : NULL), cli->arena);
	if (json_type(listed) == JSON_NULL) {
		complain(cli,
			 "`%s` is no file, and the server has no such definition; `skald "
			 "definitions` lists those that it has",
			 text);
		return EXIT_NOT_FOUND;
	}
	saga_view_definition(&comparison->remote, listed, cli->arena, out);
	if (*out)
		return EXIT_DONE;
	complain(cli, "the definition of `%s` cannot be read; is the server a newer skald?",
		 text);
	return EXIT_FAILED;
}

static enum exit_code load_side(struct comparison *comparison, const char *text,
				struct definition **out)
{
	struct cli *cli = comparison->cli;

	if (is_file(text))
		return report_load(cli, REPORT_TEXT, text, out);
	return load_deployed(comparison, text, out);
}

/* --- sagas on their way ------------------------------------------------------------- */

static void count_page(struct comparison *comparison, struct json page, struct arena *arena)
{
	struct json_each each = json_each(member_json(page, "sagas"));

	while (json_next(&each)) {
		struct slice version = member_text(each.value, "version", arena);

		if (slice_equal(version, comparison->sides[0]->version))
			comparison->in_flight[0]++;
		else if (slice_equal(version, comparison->sides[1]->version))
			comparison->in_flight[1]++;
		else
			comparison->elsewhere++;
	}
}

static enum exit_code count_in_flight(struct comparison *comparison)
{
	struct arena *arena = comparison->cli->arena;
	struct slice cursor = {0};
	enum exit_code code = open_once(comparison);

	do {
		struct bytes path = BYTES(REMOTE_PATH_MAX, arena);
		struct json page;

		bytes_format(
			&path,
			"/v1/sagas?status=running,compensating,parked&limit=%d&saga=", LISTED);
		remote_escape(&path, comparison->sides[0]->name);
		if (cursor.len) {
			bytes_text(&path, "&cursor=");
			remote_escape(&path, cursor);
		}
		bytes_add(&path, '\0');
		if (path.err)
			return complain_err(comparison->cli, path.err);
		if (!code)
			code = remote_call(&comparison->remote, "GET", path.at,
					   (struct slice){0}, arena, &page);
		if (code)
			return code;
		count_page(comparison, page, arena);
		cursor = member_text(page, "next", arena);
	} while (cursor.len);
	comparison->counted = true;
	return EXIT_DONE;
}

/* --- JSON --------------------------------------------------------------------------- */

static void names_json(struct bytes *out, const char *name, struct names names)
{
	json_add_name(out, name);
	json_begin_list(out);
	for (uint32_t n = 0; n < names.n; n++)
		json_add_value(out, names.list[n]);
	json_end_list(out);
}

static void side_json(struct bytes *out, const char *name, const struct definition *definition)
{
	char hash[SHA256_HEX_SIZE];

	sha256_hex(definition->hash, hash);
	json_add_name(out, name);
	json_begin(out);
	json_add_text(out, "saga", definition->name);
	json_add_text(out, "version", definition->version);
	json_add_text(out, "hash", slice_of(hash));
	json_end(out);
}

static void outlook_json(struct bytes *out, const char *name, const struct outlook *outlook)
{
	json_add_name(out, name);
	json_begin(out);
	names_json(out, "then", outlook->then);
	names_json(out, "undo", outlook->undo);
	json_add_bool(out, "passed_pivot", outlook->passed_pivot);
	json_end(out);
}

static void crossing_json(struct bytes *out, const struct crossing *crossing)
{
	json_begin(out);
	json_add_text(out, "after", crossing->after);
	json_add_bool(out, "differs", crossing->differs);
	outlook_json(out, "a", &crossing->a);
	if (crossing->there)
		outlook_json(out, "b", &crossing->b);
	else
		json_add_null(out, "b");
	names_json(out, "only_a", crossing->only_a);
	names_json(out, "only_b", crossing->only_b);
	json_end(out);
}

static void difference_json(struct bytes *out, const struct difference *difference)
{
	json_begin(out);
	json_add_text(out, "what", slice_of(difference_text(difference->kind)));
	json_add_optional(out, "step", difference->step);
	json_add_optional(out, "part", slice_of(difference->part));
	json_add_optional(out, "from", difference->from);
	json_add_optional(out, "to", difference->to);
	json_end(out);
}

static void write_json(const struct comparison *comparison, struct bytes *out)
{
	const struct diff *diff = &comparison->diff;

	json_begin(out);
	side_json(out, "a", comparison->sides[0]);
	side_json(out, "b", comparison->sides[1]);
	json_add_name(out, "changes");
	json_begin_list(out);
	for (uint32_t n = 0; n < diff->n; n++)
		difference_json(out, &diff->list[n]);
	json_end_list(out);
	json_add_name(out, "states");
	json_begin_list(out);
	for (uint32_t n = 0; n < diff->n_crossings; n++)
		crossing_json(out, &diff->crossings[n]);
	json_end_list(out);
	if (comparison->counted) {
		json_add_name(out, "in_flight");
		json_begin(out);
		json_add_number(out, "a", (int64_t)comparison->in_flight[0]);
		json_add_number(out, "b", (int64_t)comparison->in_flight[1]);
		json_add_number(out, "other", (int64_t)comparison->elsewhere);
		json_end(out);
	} else {
		json_add_null(out, "in_flight");
	}
	json_end_line(out);
}

/* --- for people --------------------------------------------------------------------- */

struct sheet {
	struct canvas canvas;
	struct arena *arena;
	size_t y;
};

enum { LINES_MAX = 20 };

static void add_line(struct sheet *sheet, size_t x, const struct bytes *text, enum tone tone)
{
	size_t room = sheet->canvas.width > 2 * x ? sheet->canvas.width - x : x;

	sheet->canvas.nomem |= text->err != OK;
	sheet->y += canvas_wrap(&sheet->canvas, x, sheet->y, room, LINES_MAX, bytes_slice(text),
				tone);
}

static void add_heading(struct sheet *sheet, const char *text)
{
	sheet->y++;
	canvas_text(&sheet->canvas, 0, sheet->y++, slice_of(text), TONE_BOLD);
}

static void put_value(struct bytes *out, struct slice value)
{
	if (value.len)
		bytes_append(out, value);
	else
		bytes_text(out, "nothing");
}

static void add_difference(struct sheet *sheet, const struct difference *difference)
{
	static const enum tone tones[] = {[DIFFERENCE_CHANGED] = TONE_PLAIN,
					  [DIFFERENCE_ADDED] = TONE_GREEN,
					  [DIFFERENCE_REMOVED] = TONE_RED,
					  [DIFFERENCE_MOVED] = TONE_YELLOW};
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);
	bool input = difference->part && strcmp(difference->part, "input") == 0;

	bytes_append(&text,
		     difference->step.len ? difference->step : SLICE_LITERAL("the saga"));
	bytes_format(&text, "  %s",
		     difference->part ? difference->part : difference_text(difference->kind));
	if (input) { /* a schema is too much for a line */
		bytes_text(&text, " changed");
	} else if (difference->kind == DIFFERENCE_ADDED ||
		   difference->kind == DIFFERENCE_REMOVED) {
		bytes_text(&text, ": ");
		put_value(&text, difference->kind == DIFFERENCE_ADDED ? difference->to
								      : difference->from);
	} else {
		bytes_text(&text, ": ");
		put_value(&text, difference->from);
		bytes_text(&text, " -> ");
		put_value(&text, difference->to);
	}
	add_line(sheet, 2, &text, tones[difference->kind]);
}

static void add_names(struct sheet *sheet, const char *label, struct names names)
{
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);

	bytes_text(&text, label);
	for (uint32_t n = 0; n < names.n; n++) {
		bytes_text(&text, n ? ", " : " ");
		bytes_append(&text, names.list[n]);
	}
	if (!names.n)
		bytes_text(&text, " nothing");
	add_line(sheet, 4, &text, TONE_PLAIN);
}

static void add_undo(struct sheet *sheet, const char *label, const struct outlook *outlook)
{
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);

	if (!outlook->passed_pivot) {
		add_names(sheet, label, outlook->undo);
		return;
	}
	bytes_text(&text, label);
	bytes_text(&text, " nothing: it has passed its pivot");
	add_line(sheet, 4, &text, TONE_PLAIN);
}

static void add_crossing(struct sheet *sheet, const struct crossing *crossing)
{
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);

	bytes_text(&text, "after ");
	bytes_append(&text, crossing->after);
	if (!crossing->there)
		bytes_text(&text, ": B has no such place");
	add_line(sheet, 2, &text, TONE_BOLD);
	if (!crossing->there)
		return;
	if (crossing->then_differs) {
		add_names(sheet, "A still does:", crossing->a.then);
		add_names(sheet, "B would do:", crossing->b.then);
	}
	if (crossing->undo_differs) {
		add_undo(sheet, "a cancel undoes by A:", &crossing->a);
		add_undo(sheet, "a cancel would undo by B:", &crossing->b);
	}
	if (crossing->only_a.n)
		add_names(sheet, "done by now by A alone:", crossing->only_a);
	if (crossing->only_b.n)
		add_names(sheet, "done by now by B alone:", crossing->only_b);
}

static void add_in_flight(struct sheet *sheet, const struct comparison *comparison)
{
	struct bytes text = BYTES(SIZE_MAX / 2, sheet->arena);
	bool same = slice_equal(comparison->sides[0]->version, comparison->sides[1]->version);

	if (!comparison->counted)
		return;
	add_heading(sheet, "sagas that have not ended, and stay with what they began with");
	for (int i = 0; i < (same ? 1 : SIDES); i++) {
		bytes_format(&text, "%" PRIu64 " of ", comparison->in_flight[i]);
		bytes_append(&text, comparison->sides[i]->version);
		bytes_text(&text, ", ");
	}
	bytes_format(&text, "%" PRIu64 " of other versions", comparison->elsewhere);
	add_line(sheet, 2, &text, TONE_PLAIN);
}

static void draw(struct sheet *sheet, const struct comparison *comparison)
{
	const struct diff *diff = &comparison->diff;
	struct bytes head = BYTES(SIZE_MAX / 2, sheet->arena);
	uint32_t n_shown = 0;

	for (int i = 0; i < SIDES; i++) {
		bytes_text(&head, i ? ", B: " : "A: ");
		bytes_append(&head, comparison->sides[i]->name);
		bytes_add(&head, ' ');
		bytes_append(&head, comparison->sides[i]->version);
	}
	add_line(sheet, 0, &head, TONE_BOLD);
	add_heading(sheet, diff->n ? "what changes" : "nothing changes");
	for (uint32_t n = 0; n < diff->n; n++)
		add_difference(sheet, &diff->list[n]);
	add_in_flight(sheet, comparison);
	for (uint32_t n = 0; n < diff->n_crossings; n++) {
		if (!diff->crossings[n].differs)
			continue;
		if (!n_shown++)
			add_heading(sheet, "where a saga on its way would differ");
		add_crossing(sheet, &diff->crossings[n]);
	}
}

/* --- the command -------------------------------------------------------------------- */

static enum exit_code print(const struct comparison *comparison)
{
	struct cli *cli = comparison->cli;
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	struct sheet sheet = {.canvas = {.arena = cli->arena,
					 .width = cli->out.width,
					 .ascii = !cli->out.utf8},
			      .arena = cli->arena};

	if (cli->json) {
		write_json(comparison, &out);
	} else {
		draw(&sheet, comparison);
		canvas_write(&sheet.canvas, cli->out.colour, &out);
	}
	if (sheet.canvas.nomem || out.err)
		return complain_err(cli, out.err ? out.err : ERR_NOMEM);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code compare(struct comparison *comparison)
{
	struct cli *cli = comparison->cli;
	enum exit_code code = EXIT_DONE;
	enum err err;

	for (int i = 0; i < SIDES && !code; i++)
		code = load_side(comparison, cli->options->args[i], &comparison->sides[i]);
	if (!code && comparison->is_open)
		code = count_in_flight(comparison);
	if (code)
		return code;
	err = diff(comparison->sides[0], comparison->sides[1], cli->arena, &comparison->diff);
	return err ? complain_err(cli, err) : print(comparison);
}

static enum exit_code run(struct cli *cli)
{
	struct comparison comparison = {.cli = cli};
	enum exit_code code;

	if (cli->options->n_args != SIDES)
		return complain_usage(cli, "give two definitions, each a FILE or NAME@VERSION");
	code = compare(&comparison);
	for (int i = 0; i < SIDES; i++)
		definition_free(comparison.sides[i]);
	if (comparison.is_open)
		remote_close(&comparison.remote);
	return code;
}

const struct subcommand subcommand_diff = {
	.name = "diff",
	.brief = "compare two definitions, also for sagas on their way",
	.usage = {.program = "skald diff",
		  .arguments = "A B",
		  .summary = manual,
		  .common = {common_options, N_REMOTE_OPTIONS}},
	.run = run,
};

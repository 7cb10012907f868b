#include "cli/report.h"

#include "base/json_line.h"
#include "cli/canvas.h"
#include "cli/file.h"
#include "orchestrator/load/load.h"

#include <stdio.h>

enum { MARGIN = 8 }; /* columns before the line of a file: "   12 | " */

/* The file that was quoted last: mistakes come sorted by file. */
struct quoted {
	const char *file;
	struct slice text;
	struct arena arena;
};

/* --- the line of the file ---------------------------------------------------------- */

static struct slice find_line(struct slice text, uint32_t number)
{
	struct slice line = {0};

	for (; number; number--)
		(void)slice_line(&text, &line);
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* So much of the line as stands before the column, which counts characters. */
static struct slice before_column(struct slice line, uint32_t column)
{
	size_t at = 0;

	for (; column > 1 && at < line.len; column--) {
		do
			at++;
		while (at < line.len && ((unsigned char)line.at[at] & 0xc0) == 0x80);
	}
	return (struct slice){line.at, at};
}

/* Cut columns off the left until the caret and something behind it is seen. */
static struct slice scroll(struct slice line, struct slice *before, size_t room)
{
	while (before->len && text_columns(*before) + 1 > room / 2 &&
	       text_columns(line) > room) {
		do {
			before->at++;
			before->len--;
			line.at++;
			line.len--;
		} while (before->len && ((unsigned char)before->at[0] & 0xc0) == 0x80);
	}
	return line;
}

static void quote(const struct cli *cli, const struct problem *problem, struct slice text,
		  struct bytes *out)
{
	size_t width = cli->errs.width > 4 * MARGIN ? cli->errs.width : 4 * MARGIN;
	struct arena arena = {0};
	struct canvas canvas = {.arena = &arena, .width = width, .ascii = !cli->errs.utf8};
	struct slice line = find_line(text, problem->place.line);
	struct slice before = before_column(line, problem->place.column);
	char number[16];

	line = scroll(line, &before, width - MARGIN);
	snprintf(number, sizeof number, "%5u |", (unsigned)problem->place.line);
	canvas_text(&canvas, 0, 0, slice_of(number), TONE_DIM);
	canvas_text(&canvas, MARGIN, 0, line, TONE_PLAIN);
	canvas_text(&canvas, MARGIN - 2, 1, SLICE_LITERAL("|"), TONE_DIM);
	canvas_text(&canvas, MARGIN + text_columns(before), 1, SLICE_LITERAL("^"), TONE_BOLD);
	canvas_write(&canvas, cli->errs.colour, out);
	arena_release(&arena);
}

/* NULL where the file cannot be read once more, as standard input cannot. */
static const struct slice *text_of(struct quoted *quoted, const char *file)
{
	if (quoted->file && strcmp(quoted->file, file) == 0)
		return quoted->text.at ? &quoted->text : NULL;
	quoted->file = file;
	quoted->text = (struct slice){0};
	arena_reset(&quoted->arena);
	if (file_read(file, DEFINITION_TEXT_MAX, &quoted->arena, &quoted->text, NULL))
		return NULL;
	return &quoted->text;
}

/* --- one mistake ---------------------------------------------------------------------- */

static void write_text(const struct cli *cli, const struct problem *problem,
		       struct quoted *quoted, struct bytes *out)
{
	bool error = problem->severity == SEVERITY_ERROR;
	bool colour = cli->errs.colour;
	const struct slice *text;

	bytes_text(out, problem->file);
	if (problem->place.line)
		bytes_format(out, ":%u:%u", (unsigned)problem->place.line,
			     (unsigned)problem->place.column);
	bytes_format(out, ": %s%s:%s ", colour ? tone_code(error ? TONE_RED : TONE_YELLOW) : "",
		     severity_text(problem->severity), colour ? tone_code(TONE_PLAIN) : "");
	bytes_text(out, problem->text);
	bytes_format(out, " [%s]\n", problem->code);
	if (!cli->errs.is_terminal || !problem->place.line)
		return;
	text = text_of(quoted, problem->file);
	if (text)
		quote(cli, problem, *text, out);
}

enum err report_problems(const struct cli *cli, enum report_style style,
			 struct problems *problems)
{
	struct quoted quoted = {0};
	struct bytes out = BYTES(SIZE_MAX / 2, NULL);
	size_t n = problems->n_errors + problems->n_warnings;
	enum err err;

	problems_sort(problems);
	for (size_t i = 0; i < problems->n; i++) {
		if (style == REPORT_JSON) {
			problem_json(&out, &problems->list[i]);
			bytes_add(&out, '\n');
		} else {
			write_text(cli, &problems->list[i], &quoted, &out);
		}
	}
	if (out.len)
		fwrite(out.at, 1, out.len, style == REPORT_JSON ? stdout : stderr);
	if (n > problems->n)
		complain(cli, "%zu more were found; mend the first ones and check again",
			 n - problems->n);
	err = out.err || problems->nomem ? ERR_NOMEM : OK;
	bytes_release(&out);
	arena_release(&quoted.arena);
	return err;
}

enum exit_code report_load(const struct cli *cli, enum report_style style, const char *path,
			   struct definition **out)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena, .file = report_name(path)};
	enum err err, shown;

	*out = NULL;
	err = load_file(path, &problems, out);
	shown = report_problems(cli, style, &problems);
	arena_release(&arena);
	if (!err && !shown)
		return EXIT_DONE;
	definition_free(*out);
	*out = NULL;
	if (shown || err == ERR_NOMEM)
		return complain_err(cli, ERR_NOMEM);
	return EXIT_FAILED;
}

const char *report_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

void short_hash(const struct definition *definition, char text[SHORT_HASH_SIZE])
{
	char whole[SHA256_HEX_SIZE];

	sha256_hex(definition->hash, whole);
	snprintf(text, SHORT_HASH_SIZE, "%.*s", SHORT_HASH_SIZE - 1, whole);
}

/* sequence.c - one simulated run as a sequence diagram, as text and for Mermaid. */
#include "cli/canvas.h"
#include "cli/simulation.h"
#include "cli/spans.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	TIME_COLUMNS = 10,
	GAP = 2,
	LINE_LEAST = 10, /* columns between two lifelines */
	TEXT_LEAST = 40, /* columns for what is said */
	TEXT_LINES = 20,
};

/* What lines are drawn with. */
struct strokes {
	uint32_t life, from, dash, right, left, lost, here;
};

static const struct strokes unicode = {0x2502, 0x25cf, 0x2500, 0x25b6, 0x25c0, 0x2717, 0x25cf};
static const struct strokes ascii = {'|', '*', '-', '>', '<', 'x', '*'};

struct diagram {
	struct canvas canvas;
	const struct run *run;
	const struct strokes *strokes;
	size_t *columns; /* of the lifelines */
	size_t text;     /* where texts begin */
	size_t y;
};

static void place_lifelines(struct diagram *diagram)
{
	const struct run *run = diagram->run;
	size_t x = TIME_COLUMNS;

	for (size_t i = 0; i < run->n_actors; i++) {
		size_t width = text_columns(run->actors[i]) + GAP;

		diagram->columns[i] = x;
		x += width < LINE_LEAST ? LINE_LEAST : width;
	}
	diagram->text = x;
}

static void draw_lifelines(struct diagram *diagram, size_t y)
{
	for (size_t i = 0; i < diagram->run->n_actors; i++)
		canvas_put(&diagram->canvas, diagram->columns[i], y, diagram->strokes->life,
			   TONE_DIM);
}

static void draw_arrow(struct diagram *diagram, const struct note *note)
{
	const struct strokes *strokes = diagram->strokes;
	size_t from = diagram->columns[note->from], to = diagram->columns[note->to];
	size_t low = from < to ? from : to, high = from < to ? to : from;

	if (from == to) {
		canvas_put(&diagram->canvas, from, diagram->y, strokes->here, TONE_PLAIN);
		return;
	}
	for (size_t x = low + 1; x < high; x++)
		canvas_put(&diagram->canvas, x, diagram->y, strokes->dash,
			   note->lost ? TONE_RED : TONE_PLAIN);
	canvas_put(&diagram->canvas, from, diagram->y, strokes->from, TONE_PLAIN);
	if (note->lost)
		canvas_put(&diagram->canvas, (from + to) / 2, diagram->y, strokes->lost,
			   TONE_RED);
	else
		canvas_put(&diagram->canvas, from < to ? to - 1 : to + 1, diagram->y,
			   from < to ? strokes->right : strokes->left, TONE_PLAIN);
}

static void draw_note(struct diagram *diagram, const struct note *note)
{
	char time[SPAN_TEXT_SIZE];
	size_t y = diagram->y, n;

	span_format(note->at_ms, time);
	canvas_text(&diagram->canvas, 0, y, slice_of(time), TONE_DIM);
	n = canvas_wrap(&diagram->canvas, diagram->text, y,
			diagram->canvas.width - diagram->text, TEXT_LINES, note->text,
			note->lost ? TONE_RED : TONE_PLAIN);
	for (size_t i = 0; i < n; i++)
		draw_lifelines(diagram, y + i);
	draw_arrow(diagram, note);
	diagram->y += n;
}

static enum err draw(const struct run *run, const struct cli *cli, struct bytes *out)
{
	struct arena arena = {0};
	struct diagram diagram = {
		.canvas = {.arena = &arena, .ascii = !cli->out.utf8},
		.run = run,
		.strokes = cli->out.utf8 ? &unicode : &ascii,
		.columns = arena_array(&arena, run->n_actors, sizeof *diagram.columns),
		.y = 1,
	};
	bool nomem = !diagram.columns;

	if (!nomem) {
		place_lifelines(&diagram);
		diagram.canvas.width = cli->out.width > diagram.text + TEXT_LEAST
					       ? cli->out.width
					       : diagram.text + TEXT_LEAST;
		for (size_t i = 0; i < run->n_actors; i++)
			canvas_text(&diagram.canvas, diagram.columns[i], 0, run->actors[i],
				    TONE_BOLD);
		for (size_t i = 0; i < run->n_notes; i++)
			draw_note(&diagram, &run->notes[i]);
		canvas_write(&diagram.canvas, cli->out.colour, out);
	}
	nomem |= diagram.canvas.nomem;
	arena_release(&arena);
	return nomem ? ERR_NOMEM : out->err;
}

static void write_end(const struct run *run, struct bytes *out)
{
	char span[SPAN_TEXT_SIZE];

	span_format(run->took_ms, span);
	if (run->n_notes == RUN_NOTES_MAX)
		bytes_format(out, "what happened after the first %d notes is left out\n",
			     RUN_NOTES_MAX);
	bytes_format(out, "\n%s after %s: %" PRIu64 " attempts, %" PRIu64 " messages",
		     run_end_text(run->end), span, run->attempts, run->messages);
	if (run->reason.len) {
		bytes_text(out, "; ");
		bytes_append(out, run->reason);
	}
	if (run->broken) {
		bytes_format(out, "\nviolation of %s: ", simulate_invariants[run->broken].name);
		bytes_text(out, run->what);
	} else {
		bytes_text(out, "\nno violation");
	}
	bytes_add(out, '\n');
}

enum err run_text(const struct simulated *simulated, const struct run *run,
		  const struct cli *cli, struct bytes *out)
{
	const struct definition *definition = simulated->setup->family.list[0];
	enum err err;

	bytes_text(out, simulated->path);
	bytes_format(out, ": seed %" PRIu64 " of %.*s %.*s\nfaults: ", run->seed,
		     SLICE_ARG(definition->name), SLICE_ARG(definition->version));
	faults_write(out, &simulated->setup->faults);
	/* What was given may hold what must not be shown. */
	if (!simulated->setup->input.text.len) {
		bytes_text(out, "\ninput, made up: ");
		bytes_append(out, run->input);
	}
	bytes_text(out, "\n\n");
	err = draw(run, cli, out);
	write_end(run, out);
	return err ? err : out->err;
}

/* --- Mermaid --------------------------------------------------------------------------- */

/* What Mermaid takes for the end of a line, or of a text, it knows by its number. */
static void write_label(struct slice text, struct bytes *out)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (strchr("#;<>\"{}", c) && c)
			bytes_format(out, "#%u;", c);
		else
			bytes_add(out, c < ' ' ? ' ' : (char)c);
	}
}

enum err run_mermaid(const struct run *run, struct bytes *out)
{
	char time[SPAN_TEXT_SIZE];

	bytes_text(out, "sequenceDiagram\n");
	for (size_t i = 0; i < run->n_actors; i++)
		bytes_format(out, "  participant a%zu as %.*s\n", i, SLICE_ARG(run->actors[i]));
	for (size_t i = 0; i < run->n_notes; i++) {
		const struct note *note = &run->notes[i];

		span_format(note->at_ms, time);
		if (note->from == note->to)
			bytes_format(out, "  Note over a%u: %s ", (unsigned)note->from, time);
		else
			bytes_format(out, "  a%u%sa%u: %s ", (unsigned)note->from,
				     note->lost ? "--x" : "->>", (unsigned)note->to, time);
		write_label(note->text, out);
		bytes_add(out, '\n');
	}
	return out->err;
}

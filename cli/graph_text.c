/* The steps of a list hang on a rail, one below the other; branches are rails
 * side by side, or, where the width does not allow that, one below the other
 * and a little to the right. Drawing goes straight onto a canvas, so that no
 * heights have to be known beforehand: only widths are. */
#include "cli/canvas.h"
#include "cli/graph.h"

enum {
	GAP = 2,          /* between branches */
	NAME_AT = 2,      /* right of the rail */
	DETAIL_AT = 4,    /* right of the rail */
	STACK_AT = 2,     /* a stacked branch's rail, right of the rail */
	WIDTH_LEAST = 20, /* a list that would be wider is not squeezed further */
	DETAIL_WIDE = 44, /* a longer detail is rather wrapped than given room */
	DETAIL_LINES = 3,
	HEADER_LINES = 20,
	NO_RETURN_LEAST = 60, /* columns of the line */
};

struct symbols {
	uint32_t rail, line, heavy;
	uint32_t split, split_inner, split_last; /* the line over branches */
	uint32_t join, join_inner, join_last;    /* the line under them */
	uint32_t begin, branch_end, no_return, completed;
	uint32_t compensatable, readonly, pivot, retriable, nothing, parallel, each, await,
		sleep;
	uint32_t child; /* where the kind says nothing */
	const char *undo;
};

static const struct symbols unicode = {
	.rail = 0x2502,          /* │ */
	.line = 0x2500,          /* ─ */
	.heavy = 0x2501,         /* ━ */
	.split = 0x251c,         /* ├ */
	.split_inner = 0x252c,   /* ┬ */
	.split_last = 0x256e,    /* ╮ */
	.join = 0x251c,          /* ├ */
	.join_inner = 0x2534,    /* ┴ */
	.join_last = 0x256f,     /* ╯ */
	.begin = 0x2577,         /* ╷ */
	.branch_end = 0x2575,    /* ╵ */
	.no_return = 0x253f,     /* ┿ */
	.completed = 0x25ce,     /* ◎ */
	.compensatable = 0x25cf, /* ● */
	.readonly = 0x25cb,      /* ○ */
	.pivot = 0x25c6,         /* ◆ */
	.retriable = 0x25b6,     /* ▶ */
	.nothing = 0x25cc,       /* ◌ */
	.parallel = 0x25a0,      /* ■ */
	.each = 0x25a6,          /* ▦ */
	.child = 0x25c9,         /* ◉ */
	.await = 0x25c7,         /* ◇ */
	.sleep = 0x25d4,         /* ◔ */
	.undo = "\xe2\x9f\xb2 ", /* ⟲ */
};

static const struct symbols plain = {
	.rail = '|',
	.line = '-',
	.heavy = '=',
	.split = '+',
	.split_inner = '+',
	.split_last = '.',
	.join = '+',
	.join_inner = '+',
	.join_last = '\'',
	.begin = '.',
	.branch_end = '\'',
	.no_return = '+',
	.completed = '@',
	.compensatable = '*',
	.readonly = 'o',
	.pivot = '#',
	.retriable = '>',
	.nothing = '-',
	.parallel = '=',
	.each = '%',
	.child = '&',
	.await = '?',
	.sleep = '~',
	.undo = "undo: ",
};

struct text_step {
	struct graph_step says;
	struct graph_mark mark;
	size_t least;   /* columns that the step and all in it cannot do without */
	size_t natural; /* columns that it would take by itself */
};

struct drawing {
	const struct definition *definition;
	const struct symbols *symbols;
	struct text_step *steps;
	struct canvas canvas;
};

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- widths ---------------------------------------------------------------------- */

static size_t undo_columns(const struct drawing *drawing, const struct graph_line *line)
{
	return line->is_undo ? text_columns(slice_of(drawing->symbols->undo)) : 0;
}

/* A list takes as much as its widest step. */
static size_t natural_width(const struct drawing *drawing, const struct branch *list)
{
	size_t width = NAME_AT + list->name.len;

	for (uint32_t i = list->first; i != NO_STEP; i = drawing->definition->steps[i].next)
		width = larger(width, drawing->steps[i].natural);
	return width;
}

static size_t least_width(const struct drawing *drawing, const struct branch *list)
{
	size_t width = larger(NAME_AT + list->name.len,
			      smaller(WIDTH_LEAST, natural_width(drawing, list)));

	for (uint32_t i = list->first; i != NO_STEP; i = drawing->definition->steps[i].next)
		width = larger(width, drawing->steps[i].least);
	return width;
}

static void measure(struct drawing *drawing, uint32_t index)
{
	const struct step_definition *step = &drawing->definition->steps[index];
	struct text_step *text = &drawing->steps[index];
	size_t side_by_side = 0;

	text->least = NAME_AT + step->name.len;
	text->natural = text->least + 2 + smaller(text_columns(text->says.does), DETAIL_WIDE);
	if (text->mark.text[0])
		text->natural += 2 + text_columns(slice_of(text->mark.text));
	for (size_t i = 0; i < text->says.n_lines; i++) {
		const struct graph_line *line = &text->says.lines[i];
		size_t columns = text_columns(line->text) + undo_columns(drawing, line);

		text->natural =
			larger(text->natural, DETAIL_AT + smaller(columns, DETAIL_WIDE));
	}
	for (uint32_t i = 0; i < step->n_branches; i++) {
		const struct branch *branch = &step->branches[i];

		text->least = larger(text->least, STACK_AT + least_width(drawing, branch));
		text->natural =
			larger(text->natural, STACK_AT + natural_width(drawing, branch));
		side_by_side += (i ? GAP : 0) + natural_width(drawing, branch);
	}
	text->natural = larger(text->natural, side_by_side);
}

/* What a list gets where none may be wider than `limit`. */
static size_t list_width_up_to(const struct drawing *drawing, const struct branch *list,
			       size_t limit)
{
	size_t least = least_width(drawing, list);

	return larger(least, smaller(natural_width(drawing, list), limit));
}

/* The widest limit with which the branches fit side by side; 0: they do not. */
static size_t fit_side_by_side(const struct drawing *drawing,
			       const struct step_definition *step, size_t width)
{
	if (step->n_branches < 2)
		return 0;
	for (size_t limit = width; limit >= WIDTH_LEAST; limit--) {
		size_t sum = GAP * (step->n_branches - 1);

		for (uint32_t i = 0; i < step->n_branches && sum <= width; i++)
			sum += list_width_up_to(drawing, &step->branches[i], limit);
		if (sum <= width)
			return limit;
	}
	return 0;
}

/* --- drawing ------------------------------------------------------------------------ */

static uint32_t symbol_of(const struct symbols *symbols, const struct step_definition *step)
{
	switch (step->form) {
	case FORM_NOTHING: return symbols->nothing;
	case FORM_PARALLEL: return symbols->parallel;
	case FORM_AWAIT: return symbols->await;
	case FORM_SLEEP: return symbols->sleep;
	case FORM_EACH: return symbols->each;
	case FORM_SAGA:
		if (step->kind == KIND_COMPENSATABLE)
			return symbols->child;
		break;
	case FORM_CALL: break;
	}
	switch (step->kind) {
	case KIND_READONLY: return symbols->readonly;
	case KIND_PIVOT: return symbols->pivot;
	case KIND_RETRIABLE: return symbols->retriable;
	case KIND_COMPENSATABLE:
	case KIND_NONE: break;
	}
	return symbols->compensatable;
}

static void draw_rail(struct drawing *drawing, size_t x, size_t from, size_t to)
{
	for (size_t y = from; y < to; y++)
		canvas_put(&drawing->canvas, x, y, drawing->symbols->rail, TONE_DIM);
}

/* A detail below the step's name; returns the line behind it. */
static size_t draw_detail(struct drawing *drawing, size_t x, size_t y, size_t width,
			  struct slice text, enum tone tone)
{
	return y + canvas_wrap(&drawing->canvas, x + DETAIL_AT, y, width - DETAIL_AT,
			       DETAIL_LINES, text, tone);
}

/* Name, what it does and the mark: on one line as far as they fit. */
static size_t draw_head(struct drawing *drawing, uint32_t index, size_t x, size_t y,
			size_t width)
{
	const struct step_definition *step = &drawing->definition->steps[index];
	const struct text_step *text = &drawing->steps[index];
	struct slice mark = slice_of(text->mark.text);
	size_t first = y, last = x + width;
	size_t at;

	canvas_put(&drawing->canvas, x, y, symbol_of(drawing->symbols, step), text->mark.tone);
	at = canvas_text(&drawing->canvas, x + NAME_AT, y, step->name, TONE_BOLD);
	y++;
	if (at + 2 + text_columns(text->says.does) <= last)
		at = canvas_text(&drawing->canvas, at + 2, first, text->says.does, TONE_PLAIN);
	else
		y = draw_detail(drawing, x, y, width, text->says.does, TONE_PLAIN);
	if (mark.len && at + 2 + text_columns(mark) <= last)
		canvas_text(&drawing->canvas, at + 2, first, mark, text->mark.tone);
	else if (mark.len)
		y = draw_detail(drawing, x, y, width, mark, text->mark.tone);
	return y;
}

static size_t draw_details(struct drawing *drawing, uint32_t index, size_t x, size_t y,
			   size_t width)
{
	const struct graph_step *says = &drawing->steps[index].says;

	for (size_t i = 0; i < says->n_lines; i++) {
		const struct graph_line *line = &says->lines[i];
		size_t columns = undo_columns(drawing, line);

		if (columns)
			canvas_text(&drawing->canvas, x + DETAIL_AT, y,
				    slice_of(drawing->symbols->undo), TONE_DIM);
		y += canvas_wrap(&drawing->canvas, x + DETAIL_AT + columns, y,
				 width - DETAIL_AT - columns, DETAIL_LINES, line->text,
				 TONE_DIM);
	}
	return y;
}

static size_t draw_list(struct drawing *drawing, const struct branch *list, size_t x, size_t y,
			size_t width);

/* The line over or under branches, whose rails are at the given columns. */
static void draw_fork(struct drawing *drawing, const size_t *rails, size_t n, size_t y,
		      bool split)
{
	const struct symbols *s = drawing->symbols;
	size_t last = rails[n - 1];

	for (size_t x = rails[0]; x < last; x++)
		canvas_put(&drawing->canvas, x, y, s->line, TONE_DIM);
	for (size_t i = 1; i + 1 < n; i++)
		canvas_put(&drawing->canvas, rails[i], y,
			   split ? s->split_inner : s->join_inner, TONE_DIM);
	canvas_put(&drawing->canvas, rails[0], y, split ? s->split : s->join, TONE_DIM);
	canvas_put(&drawing->canvas, last, y, split ? s->split_last : s->join_last, TONE_DIM);
}

static size_t draw_side_by_side(struct drawing *drawing, const struct step_definition *step,
				size_t limit, size_t x, size_t y)
{
	size_t rails[STEPS_MAX], ends[STEPS_MAX];
	size_t n = step->n_branches, top = y, bottom = y;

	for (size_t i = 0; i < n; i++) {
		const struct branch *branch = &step->branches[i];
		size_t width = list_width_up_to(drawing, branch, limit);

		rails[i] = x;
		draw_rail(drawing, x, top + 1, top + 2);
		canvas_text(&drawing->canvas, x + NAME_AT, top + 1, branch->name, TONE_DIM);
		ends[i] = draw_list(drawing, branch, x, top + 2, width);
		bottom = larger(bottom, ends[i]);
		x += width + GAP;
	}
	for (size_t i = 0; i < n; i++)
		draw_rail(drawing, rails[i], ends[i], bottom);
	draw_fork(drawing, rails, n, top, true);
	draw_fork(drawing, rails, n, bottom, false);
	return bottom + 1;
}

static size_t draw_stacked(struct drawing *drawing, const struct step_definition *step,
			   size_t x, size_t y, size_t width)
{
	const struct symbols *s = drawing->symbols;

	for (uint32_t i = 0; i < step->n_branches; i++) {
		const struct branch *branch = &step->branches[i];
		size_t rails[] = {x, x + STACK_AT};
		size_t top = y;

		draw_fork(drawing, rails, 2, y, true);
		canvas_text(&drawing->canvas, x + STACK_AT + NAME_AT, y, branch->name,
			    TONE_DIM);
		y = draw_list(drawing, branch, x + STACK_AT, y + 1, width - STACK_AT);
		canvas_put(&drawing->canvas, x + STACK_AT, y, s->branch_end, TONE_DIM);
		y++;
		draw_rail(drawing, x, top + 1, y);
	}
	return y;
}

/* The pivot is never inside another step: the line goes across everything. */
static size_t draw_no_return(struct drawing *drawing, size_t x, size_t y)
{
	static const struct slice text = SLICE_LITERAL(" point of no return ");
	size_t drawn = natural_width(drawing, &drawing->definition->top);
	size_t width = smaller(drawing->canvas.width, larger(drawn, NO_RETURN_LEAST));

	for (size_t i = x; i < width; i++)
		canvas_put(&drawing->canvas, i, y, drawing->symbols->heavy, TONE_YELLOW);
	canvas_put(&drawing->canvas, x, y, drawing->symbols->no_return, TONE_YELLOW);
	canvas_text(&drawing->canvas, x + (width - x - text.len) / 2, y, text, TONE_YELLOW);
	return y + 1;
}

static size_t draw_step(struct drawing *drawing, uint32_t index, size_t x, size_t y,
			size_t width)
{
	const struct step_definition *step = &drawing->definition->steps[index];
	size_t top = y, limit = fit_side_by_side(drawing, step, width);

	y = draw_head(drawing, index, x, y, width);
	y = draw_details(drawing, index, x, y, width);
	draw_rail(drawing, x, top + 1, y);
	if (limit)
		y = draw_side_by_side(drawing, step, limit, x, y);
	else if (step->n_branches)
		y = draw_stacked(drawing, step, x, y, width);
	if (step->kind == KIND_PIVOT)
		y = draw_no_return(drawing, x, y);
	return y;
}

/* Nesting is limited, and so is this recursion. */
static size_t draw_list(struct drawing *drawing, const struct branch *list, size_t x, size_t y,
			size_t width)
{
	for (uint32_t i = list->first; i != NO_STEP; i = drawing->definition->steps[i].next) {
		if (i != list->first) {
			draw_rail(drawing, x, y, y + 1);
			y++;
		}
		y = draw_step(drawing, i, x, y, width);
	}
	return y;
}

static size_t draw_header(struct drawing *drawing, const struct slice *lines, size_t n)
{
	const struct definition *definition = drawing->definition;
	struct canvas *canvas = &drawing->canvas;
	size_t y = 0, x;

	x = canvas_text(canvas, 0, y, definition->name, TONE_BOLD);
	canvas_text(canvas, x + 1, y++, definition->version, TONE_PLAIN);
	if (definition->description.len)
		y += canvas_wrap(canvas, 0, y, canvas->width, HEADER_LINES,
				 definition->description, TONE_PLAIN);
	for (size_t i = 0; i < n; i++)
		y += canvas_wrap(canvas, 0, y, canvas->width, DETAIL_LINES, lines[i], TONE_DIM);
	return y + 1;
}

static bool draw(struct drawing *drawing)
{
	const struct symbols *s = drawing->symbols;
	struct canvas *canvas = &drawing->canvas;
	struct slice head[GRAPH_HEAD_MAX], output;
	size_t n, y, x;

	if (!graph_describe_head(drawing->definition, canvas->arena, head, &n) ||
	    !graph_describe_output(drawing->definition, canvas->arena, &output))
		return false;
	y = draw_header(drawing, head, n);
	canvas_put(canvas, 0, y++, s->begin, TONE_DIM);
	y = draw_list(drawing, &drawing->definition->top, 0, y, canvas->width);
	draw_rail(drawing, 0, y, y + 1);
	y++;
	canvas_put(canvas, 0, y, s->completed, TONE_PLAIN);
	x = canvas_text(canvas, NAME_AT, y, SLICE_LITERAL("completed"), TONE_BOLD);
	if (x + 2 + text_columns(output) <= canvas->width)
		canvas_text(canvas, x + 2, y, output, TONE_PLAIN);
	else
		draw_detail(drawing, 0, y + 1, canvas->width, output, TONE_PLAIN);
	return true;
}

static bool prepare(struct drawing *drawing, const struct graph_style *style)
{
	uint32_t n = drawing->definition->n_steps;

	drawing->steps = arena_array(drawing->canvas.arena, n, sizeof *drawing->steps);
	if (!drawing->steps)
		return false;
	/* Backwards: what a step contains stands behind it. */
	for (uint32_t i = n; i-- > 0;) {
		struct text_step *step = &drawing->steps[i];

		if (!graph_describe(drawing->definition, i, drawing->canvas.arena, &step->says))
			return false;
		if (style->mark)
			style->mark(style->context, i, &step->mark);
		measure(drawing, i);
	}
	return true;
}

enum err graph_text(const struct definition *definition, const struct graph_style *style,
		    struct bytes *out)
{
	struct arena arena = {0};
	struct drawing drawing = {
		.definition = definition,
		.symbols = style->ascii ? &plain : &unicode,
		.canvas = {.arena = &arena, .ascii = style->ascii},
	};
	enum err err = ERR_NOMEM;

	if (!prepare(&drawing, style))
		goto out;
	drawing.canvas.width = larger(smaller(style->width, TERMINAL_WIDTH_MAX),
				      least_width(&drawing, &definition->top));
	if (!draw(&drawing))
		goto out;
	canvas_write(&drawing.canvas, style->colour, out);
	err = out->err;
out:
	arena_release(&arena);
	return err;
}

#include "cli/columns.h"

#include "cli/canvas.h"

#include <assert.h>

enum { GAP = 2, WIDEST = 4096 };

void columns_add(struct columns *table, const struct cell_text cells[COLUMNS_MAX])
{
	size_t n = table->n_columns;

	assert(n <= COLUMNS_MAX);
	if (table->n_rows == table->capacity) {
		size_t capacity = table->capacity ? 2 * table->capacity : 32;
		struct cell_text *grown =
			arena_array(table->arena, capacity * n, sizeof *grown);

		if (!grown) {
			table->nomem = true;
			return;
		}
		if (table->n_rows)
			memcpy(grown, table->cells, table->n_rows * n * sizeof *grown);
		table->cells = grown;
		table->capacity = capacity;
	}
	memcpy(&table->cells[table->n_rows++ * n], cells, n * sizeof *cells);
}

static size_t widest(const struct columns *table, size_t column)
{
	size_t width = table->titles ? strlen(table->titles[column]) : 0;

	for (size_t i = 0; i < table->n_rows; i++) {
		size_t columns = text_columns(table->cells[i * table->n_columns + column].text);

		if (columns > width)
			width = columns;
	}
	return width < WIDEST ? width : WIDEST;
}

static void draw_row(struct canvas *canvas, const struct columns *table,
		     const size_t at[COLUMNS_MAX], const struct cell_text *cells, size_t y)
{
	for (size_t i = 0; i < table->n_columns; i++)
		canvas_text(canvas, at[i], y, cells[i].text, cells[i].tone);
}

enum err columns_write(const struct columns *table, const struct terminal *terminal,
		       struct bytes *out)
{
	struct arena arena = {0};
	struct canvas canvas = {.arena = &arena, .ascii = !terminal->utf8};
	size_t at[COLUMNS_MAX], x = 0, y = 0;
	enum err err;

	for (size_t i = 0; i < table->n_columns; i++) {
		at[i] = x;
		x += widest(table, i) + GAP;
	}
	canvas.width = terminal->is_terminal && terminal->width < x ? terminal->width : x;
	if (table->titles) {
		struct cell_text titles[COLUMNS_MAX];

		for (size_t i = 0; i < table->n_columns; i++)
			titles[i] = (struct cell_text){slice_of(table->titles[i]), TONE_BOLD};
		draw_row(&canvas, table, at, titles, y++);
	}
	for (size_t i = 0; i < table->n_rows; i++)
		draw_row(&canvas, table, at, &table->cells[i * table->n_columns], y++);
	canvas_write(&canvas, terminal->colour, out);
	err = canvas.nomem || table->nomem ? ERR_NOMEM : out->err;
	arena_release(&arena);
	return err;
}

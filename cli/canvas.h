/* canvas.h - a page of characters on which text and lines are drawn anywhere.
 *
 * As wide as it was made, as long as it is drawn on. Texts are the definition's
 * author's and go to a terminal: control characters are shown as `?`, wide
 * characters take two columns, and what does not fit the width is not drawn.
 */
#ifndef SKALD_CLI_CANVAS_H
#define SKALD_CLI_CANVAS_H

#include "base/bytes.h"
#include "cli/terminal.h"

#include <stdint.h>

struct cell {
	uint32_t character; /* 0: blank; CELL_COVERED: right half of a wide one */
	uint32_t accent;    /* a mark without a width that stands on it, or 0 */
	uint8_t tone;
};

struct canvas {
	struct arena *arena;
	size_t width;
	struct cell **rows;
	size_t n_rows;
	bool ascii; /* what is not ASCII is shown as `?` */
	bool nomem; /* something is missing */
};

/* Columns that the text takes. */
size_t text_columns(struct slice text);

/* Draw at a place; the former content is covered. Returns the column behind. */
size_t canvas_text(struct canvas *canvas, size_t x, size_t y, struct slice text,
		   enum tone tone);

void canvas_put(struct canvas *canvas, size_t x, size_t y, uint32_t character, enum tone tone);

/* Draw in lines of at most `width` columns, broken at blanks where there are
 * any, and no more than `lines_max`: the last one then ends in an ellipsis.
 * Returns how many lines it took, at least one. A NULL canvas only counts. */
size_t canvas_wrap(struct canvas *canvas, size_t x, size_t y, size_t width, size_t lines_max,
		   struct slice text, enum tone tone);

/* All rows, without blanks at their ends. */
void canvas_write(const struct canvas *canvas, bool colour, struct bytes *out);

#endif

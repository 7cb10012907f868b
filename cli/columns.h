/* columns.h - rows of cells, below each other.
 *
 * A column is as wide as its widest cell. On a terminal the last column is cut
 * where the line ends; elsewhere everything is written.
 */
#ifndef SKALD_CLI_COLUMNS_H
#define SKALD_CLI_COLUMNS_H

#include "base/bytes.h"
#include "cli/terminal.h"

enum { COLUMNS_MAX = 12 };

struct cell_text {
	struct slice text; /* lives as long as they do; may be anything */
	enum tone tone;
};

struct columns {
	struct arena *arena;
	const char *const *titles; /* NULL: none */
	size_t n_columns;
	struct cell_text *cells;
	size_t n_rows, capacity;
	bool nomem;
};

void columns_add(struct columns *table, const struct cell_text cells[COLUMNS_MAX]);

/* ERR_NOMEM or what out->err says. The titles stand first. */
CHECKED enum err columns_write(const struct columns *table, const struct terminal *terminal,
			       struct bytes *out);

#endif

/* graph.h - a saga as a picture.
 *
 * One definition, three pictures: text for a terminal, and the source of a
 * drawing for Graphviz and for Mermaid. All three say the same about a step;
 * graph.c decides what that is.
 *
 *     ● reserve  inventory.reserve
 *     │   ⟲ inventory.release
 *     │
 *     ■ checks  in parallel
 *     ├─────────────────────╮
 *     │ fraud               │ tax
 *     ○ score  fraud.score  ○ quote  tax.quote
 *     │   readonly          │   readonly
 *     ├─────────────────────╯
 *     │
 *     ◆ charge  payment.charge
 *     │   pivot
 *     ┿━━━━━━━━━━━━━ point of no return ━━━━━━━━━━━━━
 */
#ifndef SKALD_CLI_GRAPH_H
#define SKALD_CLI_GRAPH_H

#include "base/bytes.h"
#include "cli/terminal.h"
#include "orchestrator/core/definition.h"

enum { GRAPH_MAX = 8 * 1024 * 1024 }; /* bytes of a picture */

/* --- what is said of a step ---------------------------------------------------- */

enum { GRAPH_LINES_MAX = 4 };

struct graph_line {
	struct slice text;
	bool is_undo; /* the text names the command that undoes the step */
};

struct graph_step {
	struct slice does; /* "inventory.reserve", "waits for the event approved" */
	struct graph_line lines[GRAPH_LINES_MAX];
	size_t n_lines;
};

/* The texts live in the arena; false when out of memory. */
bool graph_describe(const struct definition *definition, uint32_t step, struct arena *arena,
		    struct graph_step *out);

/* "business key input.order_id", "deadline 15m, then compensate". */
enum { GRAPH_HEAD_MAX = 2 };
bool graph_describe_head(const struct definition *definition, struct arena *arena,
			 struct slice lines[GRAPH_HEAD_MAX], size_t *n);

/* "with reservation, receipt": the names in the saga's output; empty where it
 * has none. */
bool graph_describe_output(const struct definition *definition, struct arena *arena,
			   struct slice *out);

/* --- text ------------------------------------------------------------------------ */

enum { GRAPH_MARK_MAX = 96 };

/* What is added to one step of a running saga. */
struct graph_mark {
	char text[GRAPH_MARK_MAX]; /* behind what the step does; empty: nothing */
	enum tone tone;            /* of the step's symbol and of the text */
};

struct graph_style {
	size_t width; /* branches that do not fit side by side are stacked */
	bool ascii;
	bool colour;
	/* NULL: no marks. *mark comes empty and plain. */
	void (*mark)(void *context, uint32_t step, struct graph_mark *mark);
	void *context;
};

/* ERR_NOMEM or ERR_TOO_LARGE. A name or the symbols of deep nesting may take more
 * than `width`: nothing of a step is left out for it, a long expression is cut
 * after three lines. */
CHECKED enum err graph_text(const struct definition *definition,
			    const struct graph_style *style, struct bytes *out);

/* --- sources of drawings ----------------------------------------------------------- */

/* As much of a line as a label takes, in characters: names and commands always
 * fit, an expression is cut. */
enum { GRAPH_LABEL_MAX = 128 };
struct slice graph_label(struct slice text);

/* The name of the saga, a node for every step with what is said of it, and the
 * ways between them. */
CHECKED enum err graph_dot(const struct definition *definition, struct bytes *out);
CHECKED enum err graph_mermaid(const struct definition *definition, struct bytes *out);

#endif

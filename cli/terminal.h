/* terminal.h - what the place can show that output goes to.
 *
 * Asked once, at the start of a command; everything that prints is then told.
 */
#ifndef SKALD_CLI_TERMINAL_H
#define SKALD_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum { TERMINAL_WIDTH_DEFAULT = 80, TERMINAL_WIDTH_MAX = 400 };

struct terminal {
	bool is_terminal;
	bool colour;  /* a terminal that is not dumb, and neither --no-color nor $NO_COLOR */
	bool utf8;    /* by $LC_ALL, $LC_CTYPE or $LANG */
	size_t width; /* $COLUMNS, else what the terminal says, else 80 */
};

struct terminal terminal_look(int fd, bool no_color);

/* How text stands out. Without colour every tone is plain. */
enum tone {
	TONE_PLAIN,
	TONE_DIM,
	TONE_BOLD,
	TONE_RED,
	TONE_GREEN,
	TONE_YELLOW,
	TONE_BLUE,
};

/* The sequence that switches to the tone, whatever was before. */
const char *tone_code(enum tone tone);

#endif

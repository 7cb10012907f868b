/* yaml_comments.h - the comments of a YAML text, and what they stand at.
 *
 * YAML has no place for comments in its data, so that no tree shows them. They
 * are what is left of a text between its tokens.
 */
#ifndef SKALD_LOAD_YAML_COMMENTS_H
#define SKALD_LOAD_YAML_COMMENTS_H

#include "base/arena.h"
#include "base/err.h"

struct yaml_comment {
	struct slice text; /* from the # on; borrowed from the YAML text */
	uint32_t line;
	bool alone;  /* nothing stands before it on its line */
	bool at_top; /* before everything, and an empty line sets it off */

	/* The line that it is about: its own, or, where it stands alone, the one on
	 * which the next thing begins. 0: nothing comes after it. */
	uint32_t about;
	struct yaml_comment *next;
};

/* How many bytes of a line break stand there; 0: none. YAML 1.1, and libyaml with
 * it, has more of them than \n and \r: U+0085, U+2028 and U+2029. */
size_t yaml_break(struct slice text, size_t at);

/* All comments in order; NULL: there is none. ERR_INVALID where the text is no
 * YAML (yaml_tree() says why), ERR_NOMEM. */
CHECKED enum err yaml_comments(struct slice text, struct arena *arena,
			       struct yaml_comment **out);

#endif

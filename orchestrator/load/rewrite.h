/* rewrite.h - a definition's file in normal form that is still its author's.
 *
 * The normal form has no comments, and an input schema stands in it as a whole.
 * For a file that people go on working with, both would be a loss: rewriting
 * puts the comments back where they belong and leaves a schema that the file
 * names by its own file's name.
 *
 * A comment belongs to the key or list element that begins behind it, or on its
 * line; it is put before or behind that same key or element of the normal form.
 * Comments at the top of the file that an empty line sets off stay at the top,
 * those behind everything at the end. What stands elsewhere (before a closing
 * bracket, at a key that the normal form does not have) has no place.
 */
#ifndef SKALD_LOAD_REWRITE_H
#define SKALD_LOAD_REWRITE_H

#include "base/bytes.h"

/* Both are texts of the same definition: what its author wrote, and its normal
 * form. *lost_line is the line of the first comment without a place, which is
 * then left out; 0: none is. ERR_NOMEM, or ERR_INVALID where one of the texts is
 * no YAML. */
CHECKED enum err rewrite(struct slice source, struct slice normal, struct arena *arena,
			 struct bytes *out, uint32_t *lost_line);

#endif

/* slice.h - bytes that belong to somebody else.
 *
 * A slice borrows: whoever made the bytes keeps them alive. It is not
 * terminated, may hold NUL bytes, and the zero value is the empty text.
 */
#ifndef SKALD_BASE_SLICE_H
#define SKALD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *at;
	size_t len;
};

/* For printf: printf("%.*s", SLICE_ARG(name)). */
#define SLICE_ARG(s)       (int)(s).len, (s).at ? (s).at : ""
#define SLICE_LITERAL(txt) ((struct slice){"" txt "", sizeof(txt) - 1})

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
	return slice_equal(a, slice_of(text));
}

/* Bytewise order, a prefix before what it begins. */
static inline int slice_compare(struct slice a, struct slice b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.at, b.at, shorter) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Take the next line off, and give it without its end; false: there is none. */
static inline bool slice_line(struct slice *rest, struct slice *line)
{
	const char *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
	size_t taken;

	*line = (struct slice){rest->at, end ? (size_t)(end - rest->at) : rest->len};
	taken = line->len + (end != NULL);
	if (taken)
		*rest = (struct slice){rest->at + taken, rest->len - taken};
	return taken > 0;
}

#endif

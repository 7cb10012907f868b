/* pack.h - numbers and texts in few bytes, and back.
 *
 * A number takes seven bits per byte, lowest first, the top bit of a byte saying
 * that another follows; a signed number is folded first (0, -1, 1, -2, ...), so
 * that small ones of either sign stay short. A text is its length and its
 * bytes. Everything has exactly one form: what unpacks packs to the same bytes.
 *
 * Neither side is asked after every value whether it went well. Packing keeps
 * its failure in the buffer's err. Unpacking keeps the first thing that was
 * wrong, gives zeros from there on, and never reads outside of its bytes.
 */
#ifndef SKALD_BASE_PACK_H
#define SKALD_BASE_PACK_H

#include "base/bytes.h"

#include <stdint.h>

enum {
	PACK_NUMBER_MAX = 10, /* bytes that a number takes at most */
	PACK_GATHERED = 256,
};

/* Gathers short values before it appends them: call pack_end. */
struct pack {
	struct bytes *out;
	size_t len;
	char gathered[PACK_GATHERED];
};

void pack_begin(struct pack *pack, struct bytes *out);
void pack_number(struct pack *pack, uint64_t number);
void pack_signed(struct pack *pack, int64_t number);
void pack_slice(struct pack *pack, struct slice text);

/* A time as its distance from another; any two times have one. */
void pack_time(struct pack *pack, int64_t time_ms, int64_t origin_ms);

/* The bytes alone: the reader must know how many. */
void pack_raw(struct pack *pack, struct slice bytes);

/* Append what is still gathered. */
void pack_end(struct pack *pack);

struct unpack {
	struct slice bytes;
	size_t at;
	const char *what; /* the value that was wrong; NULL: all is well so far */
	const char *how;  /* "is cut off" */
	size_t where;     /* its first byte */
};

static inline struct unpack unpack_begin(struct slice bytes)
{
	return (struct unpack){.bytes = bytes};
}

/* `what` names the value in a complaint: "the number of steps". */
uint64_t unpack_number(struct unpack *unpack, uint64_t max, const char *what);
int64_t unpack_signed(struct unpack *unpack, const char *what);
int64_t unpack_time(struct unpack *unpack, int64_t origin_ms, const char *what);

/* A part of the bytes given; empty is {NULL, 0}. */
struct slice unpack_slice(struct unpack *unpack, size_t max, const char *what);
struct slice unpack_raw(struct unpack *unpack, size_t len, const char *what);

/* The value that begins at `where` does not do; the first complaint stays. */
void unpack_reject(struct unpack *unpack, size_t where, const char *what, const char *how);

/* Nothing is left: the bytes are used up or something was wrong. */
static inline bool unpack_done(const struct unpack *unpack)
{
	return unpack->at == unpack->bytes.len;
}

#endif

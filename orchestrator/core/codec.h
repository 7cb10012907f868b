/* codec.h - a saga that stands alone: as versioned bytes, or in one block.
 *
 * The bytes are what the stores keep; they are the truth about a saga. They
 * hold the hash of its definition, and nothing else is needed to read them.
 * There is exactly one form for every saga, so that equal sagas are equal
 * bytes and what decodes encodes to the same bytes again. Numbers and lists of
 * any length cost what they are worth: a finished order of five steps takes
 * about 140 bytes beside its payloads.
 *
 * The numbers of the enums in saga.h are part of the format: put new values at
 * their end, never move one. A change of format is a new SAGA_FORMAT; the old
 * ones stay readable.
 */
#ifndef SKALD_CORE_CODEC_H
#define SKALD_CORE_CODEC_H

#include "orchestrator/core/saga.h"

/* 2: with steps of many elements, children and parents. A saga that has nothing of
 * these is written in format 1. */
enum { SAGA_FORMAT = 2 };

/* Append the saga's bytes. OK, ERR_NOMEM, or ERR_TOO_LARGE where a text or
 * payload is over PAYLOAD_MAX, the key over KEY_MAX, the whole over
 * SAGA_BYTES_MAX or more than `out` takes; out->err then says so, too, and what
 * was appended is of no use. What decodes can always be encoded and vice versa. */
CHECKED enum err saga_encode(const struct saga *saga, const uint8_t hash[SHA256_SIZE],
			     struct bytes *out);

/* The saga that the bytes hold, and the hash of its definition. Every text and
 * payload of *out is a part of `bytes`, which must live as long as *out does;
 * steps, signals and errors are in the arena.
 *
 * The bytes may be anything: all that could lead astray (lengths, counts, enum
 * values, the id) is checked and nothing is read outside of them. A payload is
 * not parsed again: it was JSON when the checksum was made. Whether the saga
 * fits its definition (the number of steps) is for the caller to compare.
 *
 * OK; ERR_CORRUPT; ERR_INVALID: of a newer skald; ERR_NOMEM. *out and `hash`
 * are untouched unless OK. */
CHECKED enum err saga_decode(struct slice bytes, struct arena *arena, struct saga *out,
			     uint8_t hash[SHA256_SIZE], struct diag *diag);

/* How large a block the saga needs with everything that it points to. */
size_t saga_size(const struct saga *saga);

/* Copy the saga with all that it points to into memory of saga_size() bytes
 * that is aligned for any type, and return it: it is at the beginning of the
 * memory, so that freeing the one frees the other. */
struct saga *saga_place(const struct saga *saga, void *memory);

/* The same in an arena; NULL when out of memory. */
struct saga *saga_copy(const struct saga *saga, struct arena *arena);

#endif

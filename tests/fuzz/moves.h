/* moves.h - an input that is a sequence of moves, taken byte by byte. */
#ifndef SKALD_TESTS_FUZZ_MOVES_H
#define SKALD_TESTS_FUZZ_MOVES_H

#include "base/slice.h"

#include <stdint.h>

struct moves {
	const uint8_t *at;
	size_t left;
};

/* 0 where there are no more. */
static inline uint8_t moves_next(struct moves *moves)
{
	if (!moves->left)
		return 0;
	moves->left--;
	return *moves->at++;
}

/* How many in a byte, then so many bytes, or those that are left. */
static inline struct slice moves_bytes(struct moves *moves)
{
	size_t n = moves_next(moves);
	struct slice bytes = {(const char *)moves->at, n < moves->left ? n : moves->left};

	moves->at += bytes.len;
	moves->left -= bytes.len;
	return bytes;
}

#endif

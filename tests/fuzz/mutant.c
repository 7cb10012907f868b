#include "tests/fuzz/mutant.h"

#include "tests/lib/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGES_MAX = 6, PIECE_MAX = 64, NUMBER_SIZE = 4 };

/* What one byte changes to where any will do less: ends of ranges, and what texts are
 * made of. */
static const uint8_t telling[] = {0,   1,   0x7f, 0x80, 0xff, '\n', ' ', '"', '\\', '{', '}',
				  '[', ']', ',',  ':',  '0',  '9',  '-', '.', '/',  '#', '=',
				  '*', '&', '!',  '%',  '?',  '+',  '(', ')', 'e',  'u'};

/* Numbers at which arithmetic goes wrong. */
static const uint32_t numbers[] = {0,          1,          0x7f,       0xff,       0x100,
				   0xffff,     0x10000,    0x7fffffff, 0x80000000, 0xffffffff,
				   0xfffffffe, 0x00200000, 0x00200001};

struct draft {
	struct random random;
	uint8_t *data; /* MUTANT_MAX of them */
	size_t size;
};

static size_t below(struct draft *draft, size_t n)
{
	return n ? random_below(&draft->random, (uint32_t)n) : 0;
}

static void remove_at(struct draft *draft, size_t at, size_t n)
{
	memmove(draft->data + at, draft->data + at + n, draft->size - at - n);
	draft->size -= n;
}

static void insert(struct draft *draft, size_t at, const uint8_t *piece, size_t n)
{
	if (draft->size + n > MUTANT_MAX)
		return;
	memmove(draft->data + at + n, draft->data + at, draft->size - at);
	memcpy(draft->data + at, piece, n);
	draft->size += n;
}

/* Some bytes of an input: out of the draft itself, or of another file. */
static void insert_piece(struct draft *draft, const uint8_t *from, size_t size)
{
	uint8_t piece[PIECE_MAX];
	size_t at = below(draft, size), n = size - at;

	if (!size)
		return;
	if (n > PIECE_MAX)
		n = PIECE_MAX;
	n = 1 + below(draft, n);
	memcpy(piece, from + at, n);
	insert(draft, below(draft, draft->size + 1), piece, n);
}

static void write_number(struct draft *draft)
{
	uint32_t number = numbers[below(draft, sizeof numbers / sizeof *numbers)];
	size_t at = below(draft, draft->size);

	for (size_t i = 0; i < NUMBER_SIZE && at + i < draft->size; i++)
		draft->data[at + i] = (uint8_t)(number >> 8 * (NUMBER_SIZE - 1 - i));
}

static void change(struct draft *draft, const struct corpus *corpus)
{
	const struct input *other = &corpus->inputs[below(draft, corpus->n)];
	size_t at = below(draft, draft->size);
	uint8_t byte = telling[below(draft, sizeof telling)];

	switch (below(draft, draft->size ? 9 : 2)) {
	case 0: insert_piece(draft, other->data, other->size); break;
	case 1: insert(draft, below(draft, draft->size + 1), &byte, 1); break;
	case 2: draft->data[at] ^= (uint8_t)(1u << below(draft, 8)); break;
	case 3: draft->data[at] = byte; break;
	case 4: draft->data[at] = (uint8_t)random_next(&draft->random); break;
	case 5: remove_at(draft, at, 1 + below(draft, draft->size - at)); break;
	case 6: remove_at(draft, at, 1); break;
	case 7: insert_piece(draft, draft->data, draft->size); break;
	case 8: write_number(draft); break;
	}
}

void mutant_make(const struct corpus *corpus, uint32_t number, struct input *out)
{
	struct draft draft = {.random = {number}, .data = malloc(MUTANT_MAX)};
	const struct input *from;
	size_t n;

	assert(draft.data && corpus->n);
	from = &corpus->inputs[below(&draft, corpus->n)];
	draft.size = from->size < MUTANT_MAX ? from->size : MUTANT_MAX;
	memcpy(draft.data, from->data, draft.size);
	for (n = 1 + below(&draft, CHANGES_MAX); n; n--)
		change(&draft, corpus);
	/* In a block of its own size. */
	*out = (struct input){.data = malloc(draft.size ? draft.size : 1), .size = draft.size};
	assert(out->data);
	memcpy(out->data, draft.data, draft.size);
	free(draft.data);
}

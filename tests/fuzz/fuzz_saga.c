/* fuzz_saga.c - any bytes as a saga: an error, or a saga that has these very
 * bytes. Each input is also tried with the checksum that it should have, so
 * that what stands behind the checksum is reached. */
#include "base/crc32c.h"
#include "orchestrator/core/codec.h"

#include <assert.h>
#include <stdlib.h>

enum { CHECKSUM_SIZE = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_bytes(struct slice bytes)
{
	struct arena arena = {0};
	struct bytes again = BYTES(SAGA_BYTES_MAX, &arena);
	uint8_t hash[SHA256_SIZE];
	struct saga saga, *copy;
	struct diag diag;

	if (saga_decode(bytes, &arena, &saga, hash, &diag) == OK) {
		copy = saga_copy(&saga, &arena);
		assert(copy && saga_encode(copy, hash, &again) == OK);
		assert(slice_equal(bytes_slice(&again), bytes));
	}
	arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *mended;
	uint32_t checksum;

	try_bytes((struct slice){(const char *)data, size});
	if (size < CHECKSUM_SIZE)
		return 0;
	mended = malloc(size);
	assert(mended);
	memcpy(mended, data, size);
	checksum = crc32c((struct slice){mended, size - CHECKSUM_SIZE});
	for (size_t i = 0; i < CHECKSUM_SIZE; i++)
		mended[size - CHECKSUM_SIZE + i] = (char)(checksum >> (8 * i) & 255);
	try_bytes((struct slice){mended, size});
	free(mended);
	return 0;
}

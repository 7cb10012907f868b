/* fuzz_record.c - any bytes as a stored record: an error, or two parts of them that
 * make these very bytes again; and where the parts are a saga and a timeline, so does
 * what was read. */
#include "base/pack.h"
#include "orchestrator/store/record.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parts(struct slice record, struct slice saga, struct slice timeline)
{
	struct bytes again = BYTES(SIZE_MAX / 2, NULL);
	struct pack pack;

	pack_begin(&pack, &again);
	pack_slice(&pack, saga);
	pack_end(&pack);
	bytes_append(&again, timeline);
	assert(slice_equal(bytes_slice(&again), record));
	bytes_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice record = {(const char *)data, size}, bytes, timeline;
	struct bytes again = BYTES(SIZE_MAX / 2, NULL);
	struct arena arena = {0};
	uint8_t hash[SHA256_SIZE];
	struct saga saga;

	if (record_split(record, &bytes, &timeline))
		return 0;
	check_parts(record, bytes, timeline);
	if (saga_decode(bytes, &arena, &saga, hash, NULL) == OK) {
		record_write(&again, &saga, hash, timeline);
		assert(slice_equal(bytes_slice(&again), record));
	}
	bytes_release(&again);
	arena_release(&arena);
	return 0;
}

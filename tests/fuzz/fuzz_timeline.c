/* fuzz_timeline.c - any bytes as a timeline: an error, or entries that make
 * these very bytes again. */
#include "orchestrator/core/timeline.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {(const char *)data, size};
	struct bytes again = BYTES(TIMELINE_BYTES_MAX, NULL);
	struct timeline timeline;
	struct timeline_each each;
	struct diag diag;

	if (timeline_read(bytes, &timeline, &diag))
		return 0;
	timeline_fold(&timeline, UINT32_MAX, &again);
	assert(slice_equal(bytes_slice(&again), bytes));
	again.len -= timeline.entries.len;
	for (each = timeline_each(&timeline); timeline_next(&each);)
		timeline_append(&again, timeline.origin_ms, &each.entry);
	assert(slice_equal(bytes_slice(&again), bytes));
	bytes_release(&again);
	return 0;
}

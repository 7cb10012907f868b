/* fuzz_unsent.c - any bytes as the list of what was not sent: an error, or a list that
 * makes these very bytes again, and in which every saga can be found. */
#include "orchestrator/store/unsent.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {(const char *)data, size};
	struct bytes again = BYTES(SIZE_MAX / 2, NULL);
	struct unsent unsent;

	if (unsent_read(bytes, &unsent))
		return 0;
	unsent_write(&unsent, &again);
	assert(slice_equal(bytes_slice(&again), bytes));
	unsent_sort(&unsent);
	for (size_t i = 0; i < unsent.n; i++)
		assert(unsent_find(&unsent, unsent.sagas[i].number) == &unsent.sagas[i]);
	bytes_release(&again);
	unsent_release(&unsent);
	return 0;
}

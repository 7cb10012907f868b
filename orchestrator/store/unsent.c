#include "orchestrator/store/unsent.h"

#include "base/pack.h"

#include <assert.h>
#include <stdlib.h>

enum err unsent_begin(struct unsent *out, const struct unsent *from, uint64_t sent, size_t n)
{
	*out = (struct unsent){.capacity = from->n + n};
	out->sagas = malloc((out->capacity + 1) * sizeof *out->sagas);
	if (!out->sagas)
		return ERR_NOMEM;
	for (size_t i = 0; i < from->n; i++)
		if (from->sagas[i].batch > sent)
			unsent_add(out, from->sagas[i]);
	return OK;
}

void unsent_add(struct unsent *unsent, struct unsent_saga saga)
{
	assert(unsent->n < unsent->capacity);
	unsent->sagas[unsent->n++] = saga;
}

void unsent_write(const struct unsent *unsent, struct bytes *out)
{
	struct unsent_saga before = {0};
	struct pack pack;

	pack_begin(&pack, out);
	pack_number(&pack, unsent->n);
	/* Neighbours are alike. */
	for (size_t i = 0; i < unsent->n; i++) {
		struct unsent_saga saga = unsent->sagas[i];

		pack_signed(&pack, saga.number - before.number);
		pack_number(&pack, saga.batch - before.batch);
		pack_number(&pack, saga.n_news);
		before = saga;
	}
	pack_end(&pack);
}

enum err unsent_read(struct slice bytes, struct unsent *out)
{
	struct unpack in = unpack_begin(bytes);
	/* Each of them takes some bytes. */
	size_t n = unpack_number(&in, bytes.len, "the number of sagas");
	struct unsent_saga saga = {0};
	enum err err;

	*out = (struct unsent){0};
	if (in.what)
		return ERR_CORRUPT;
	err = unsent_begin(out, &(struct unsent){0}, 0, n);
	for (size_t i = 0; !err && i < n; i++) {
		saga.number = (int64_t)((uint64_t)saga.number +
					(uint64_t)unpack_signed(&in, "a saga"));
		saga.batch += unpack_number(&in, UINT64_MAX, "its batch");
		saga.n_news = (uint32_t)unpack_number(&in, UINT32_MAX, "its news");
		unsent_add(out, saga);
		if (saga.number < 0)
			err = ERR_CORRUPT;
	}
	if (!err && (in.what || !unpack_done(&in)))
		err = ERR_CORRUPT;
	if (err)
		unsent_release(out);
	return err;
}

static int by_number(const void *a, const void *b)
{
	const struct unsent_saga *x = a, *y = b;

	if (x->number != y->number)
		return (x->number > y->number) - (x->number < y->number);
	return (x->batch > y->batch) - (x->batch < y->batch);
}

void unsent_sort(struct unsent *unsent)
{
	size_t n = 0;

	qsort(unsent->sagas, unsent->n, sizeof *unsent->sagas, by_number);
	for (size_t i = 0; i < unsent->n; i++) {
		if (n && unsent->sagas[n - 1].number == unsent->sagas[i].number)
			n--;
		unsent->sagas[n++] = unsent->sagas[i];
	}
	unsent->n = n;
}

const struct unsent_saga *unsent_find(const struct unsent *unsent, int64_t number)
{
	size_t low = 0, high = unsent->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (unsent->sagas[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < unsent->n && unsent->sagas[low].number == number ? &unsent->sagas[low]
								      : NULL;
}

void unsent_release(struct unsent *unsent)
{
	free(unsent->sagas);
	*unsent = (struct unsent){0};
}

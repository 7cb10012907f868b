#include "base/json_names.h"

static bool comes_before(const struct json_name *a, const struct json_name *b)
{
	int order = slice_compare(a->text, b->text);

	return order ? order < 0 : a->place < b->place;
}

static void swap(struct json_name *a, struct json_name *b)
{
	struct json_name kept = *a;

	*a = *b;
	*b = kept;
}

/* Let the name at `top` sink until no name below it comes after it. */
static void sink(struct json_name *heap, size_t top, size_t n)
{
	size_t below;

	for (; (below = 2 * top + 1) < n; top = below) {
		if (below + 1 < n && comes_before(&heap[below], &heap[below + 1]))
			below++;
		if (!comes_before(&heap[top], &heap[below]))
			return;
		swap(&heap[top], &heap[below]);
	}
}

/* Heapsort. */
void json_sort_names(struct json_name *names, size_t n)
{
	for (size_t i = n / 2; i > 0; i--)
		sink(names, i - 1, n);
	for (size_t i = n; i > 1; i--) {
		swap(&names[0], &names[i - 1]);
		sink(names, 0, i - 1);
	}
}

#include "tests/sim/mongo/documents.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- values --------------------------------------------------------------------------- */

static bool is_number(const bson_iter_t *value)
{
	return BSON_ITER_HOLDS_INT32(value) || BSON_ITER_HOLDS_INT64(value);
}

static bool is_text(const bson_iter_t *value)
{
	return BSON_ITER_HOLDS_UTF8(value);
}

/* Only what is of one kind can be compared. */
static bool comparable(const bson_iter_t *one, const bson_iter_t *other)
{
	return (is_number(one) && is_number(other)) ||
	       bson_iter_type(one) == bson_iter_type(other);
}

static int64_t number_of(const bson_iter_t *value)
{
	return BSON_ITER_HOLDS_DATE_TIME(value) ? bson_iter_date_time(value)
						: bson_iter_as_int64(value);
}

static int compare(const bson_iter_t *one, const bson_iter_t *other)
{
	int64_t x, y;

	if (is_text(one))
		return strcmp(bson_iter_utf8(one, NULL), bson_iter_utf8(other, NULL));
	assert(is_number(one) || BSON_ITER_HOLDS_DATE_TIME(one) || BSON_ITER_HOLDS_BOOL(one));
	x = number_of(one);
	y = number_of(other);
	return (x > y) - (x < y);
}

static bool is_equal(const bson_iter_t *one, const bson_iter_t *other)
{
	return comparable(one, other) && compare(one, other) == 0;
}

/* --- matching ------------------------------------------------------------------------- */

static bool is_in(const bson_iter_t *value, const bson_iter_t *list)
{
	bson_iter_t each;

	if (!bson_iter_recurse(list, &each))
		return false;
	while (bson_iter_next(&each))
		if (is_equal(value, &each))
			return true;
	return false;
}

static bool leaves(const bson_iter_t *value, const bson_iter_t *pair)
{
	bson_iter_t each;
	int64_t by, rest;

	if (!bson_iter_recurse(pair, &each) || !bson_iter_next(&each))
		return false;
	by = bson_iter_as_int64(&each);
	if (!bson_iter_next(&each))
		return false;
	rest = bson_iter_as_int64(&each);
	return is_number(value) && bson_iter_as_int64(value) % by == rest;
}

/* {$lt: 5}: `value` is NULL where the document has no such field. */
static bool holds(const bson_iter_t *value, const bson_iter_t *operator)
{
	const char *name = bson_iter_key(operator);
	int order;

	if (!strcmp(name, "$exists"))
		return bson_iter_as_bool(operator) == (value != NULL);
	if (!strcmp(name, "$ne"))
		return !value || !is_equal(value, operator);
	if (!value)
		return false;
	if (!strcmp(name, "$in"))
		return is_in(value, operator);
	if (!strcmp(name, "$mod"))
		return leaves(value, operator);
	if (!comparable(value, operator))
		return false;
	order = compare(value, operator);
	if (!strcmp(name, "$lt"))
		return order < 0;
	if (!strcmp(name, "$lte"))
		return order <= 0;
	if (!strcmp(name, "$gt"))
		return order > 0;
	assert(!strcmp(name, "$gte"));
	return order >= 0;
}

static bool field_fits(const bson_t *document, const bson_iter_t *wanted)
{
	bson_iter_t value, operator;
	bool there = bson_iter_init_find(&value, document, bson_iter_key(wanted));

	if (!BSON_ITER_HOLDS_DOCUMENT(wanted))
		return there && is_equal(&value, wanted);
	if (!bson_iter_recurse(wanted, &operator))
		return false;
	while (bson_iter_next(&operator))
		if (!holds(there ? &value : NULL, &operator))
			return false;
	return true;
}

/* Whether one of them fits, or all do. */
static bool list_fits(const bson_t *document, const bson_iter_t *list, bool all)
{
	const uint8_t *bytes;
	bson_iter_t each;
	uint32_t len;
	bson_t filter;

	if (!bson_iter_recurse(list, &each))
		return false;
	while (bson_iter_next(&each)) {
		bson_iter_document(&each, &len, &bytes);
		if (!bson_init_static(&filter, bytes, len) ||
		    document_fits(document, &filter) != all)
			return !all;
	}
	return all;
}

bool document_fits(const bson_t *document, const bson_t *filter)
{
	bson_iter_t wanted;
	bool fits = bson_iter_init(&wanted, filter);

	while (fits && bson_iter_next(&wanted)) {
		const char *name = bson_iter_key(&wanted);

		if (!strcmp(name, "$and") || !strcmp(name, "$or"))
			fits = list_fits(document, &wanted, name[1] == 'a');
		else
			fits = field_fits(document, &wanted);
	}
	return fits;
}

/* --- changing ------------------------------------------------------------------------- */

/* What {$set: {...}} has under its name; an empty one where there is none. */
static void read_part(bson_t *out, const bson_t *change, const char *name)
{
	const uint8_t *bytes;
	bson_iter_t iter;
	uint32_t len;

	bson_init(out);
	if (!bson_iter_init_find(&iter, change, name))
		return;
	bson_iter_document(&iter, &len, &bytes);
	if (!bson_init_static(out, bytes, len))
		assert(!"a document");
}

/* One field as it is then. */
static void append_changed(bson_t *out, const bson_iter_t *old, const bson_iter_t *more,
			   bool adds)
{
	int64_t before = number_of(old), by = number_of(more), after = before + by;

	if (!adds)
		after = by > before ? by : before;
	if (BSON_ITER_HOLDS_DATE_TIME(more))
		BSON_APPEND_DATE_TIME(out, bson_iter_key(more), after);
	else
		BSON_APPEND_INT64(out, bson_iter_key(more), after);
}

static void append_new(bson_t *out, const bson_t *document, const bson_t *fields)
{
	bson_iter_t each, old;

	if (!bson_iter_init(&each, fields))
		return;
	while (bson_iter_next(&each))
		if (!bson_iter_init_find(&old, document, bson_iter_key(&each)))
			bson_append_iter(out, NULL, -1, &each);
}

bson_t *document_change(const bson_t *document, const bson_t *change)
{
	bson_t *out = bson_new(), set, inc, max;
	bson_iter_t old, more;

	read_part(&set, change, "$set");
	read_part(&inc, change, "$inc");
	read_part(&max, change, "$max");
	if (!bson_iter_init(&old, document))
		assert(!"a document");
	while (bson_iter_next(&old)) {
		const char *name = bson_iter_key(&old);

		if (bson_iter_init_find(&more, &set, name))
			bson_append_iter(out, NULL, -1, &more);
		else if (bson_iter_init_find(&more, &inc, name))
			append_changed(out, &old, &more, true);
		else if (bson_iter_init_find(&more, &max, name))
			append_changed(out, &old, &more, false);
		else
			bson_append_iter(out, NULL, -1, &old);
	}
	append_new(out, document, &set);
	append_new(out, document, &inc);
	append_new(out, document, &max);
	return out;
}

bson_t *document_begin(const bson_t *filter)
{
	bson_t *out = bson_new();
	bson_iter_t each;

	if (!bson_iter_init(&each, filter))
		assert(!"a filter");
	while (bson_iter_next(&each))
		if (!BSON_ITER_HOLDS_DOCUMENT(&each) && !BSON_ITER_HOLDS_ARRAY(&each))
			bson_append_iter(out, NULL, -1, &each);
	return out;
}

/* --- sorting -------------------------------------------------------------------------- */

static int order_of(const bson_t *one, const bson_t *other, const bson_t *by)
{
	bson_iter_t field, x, y;
	int order = 0;

	if (!bson_iter_init(&field, by))
		return 0;
	while (!order && bson_iter_next(&field)) {
		bool has_x = bson_iter_init_find(&x, one, bson_iter_key(&field));
		bool has_y = bson_iter_init_find(&y, other, bson_iter_key(&field));

		if (has_x && has_y && comparable(&x, &y))
			order = compare(&x, &y);
		else
			order = (int)has_x - (int)has_y;
		order *= (int)bson_iter_as_int64(&field);
	}
	return order;
}

/* Stable: what was put first stays so. */
void documents_sort(bson_t **list, size_t n, const bson_t *by)
{
	for (size_t i = 1; i < n; i++) {
		bson_t *moved = list[i];
		size_t at = i;

		for (; at && order_of(list[at - 1], moved, by) > 0; at--)
			list[at] = list[at - 1];
		list[at] = moved;
	}
}

bool documents_agree(const bson_t *one, const bson_t *other, const char *const *fields,
		     size_t n)
{
	bson_iter_t x, y;

	for (size_t i = 0; i < n; i++)
		if (!bson_iter_init_find(&x, one, fields[i]) ||
		    !bson_iter_init_find(&y, other, fields[i]) || !is_equal(&x, &y))
			return false;
	return true;
}

/* yaml_names.c - members that stand twice in a mapping, found without comparing
 * each with each: a hundred thousand keys take a hundred thousand times seventeen
 * looks. The sort is by merging, which is never slower than that and keeps the
 * order of equals. */
#include "orchestrator/load/codes.h"
#include "orchestrator/load/yaml_tree.h"

enum { BINS = 32 }; /* bin i holds 2^i members in order */

static struct yaml_entry *merge(struct yaml_entry *a, struct yaml_entry *b)
{
	struct yaml_entry *all = NULL;
	struct yaml_entry **end = &all;

	while (a && b) {
		struct yaml_entry **least = slice_compare(a->name, b->name) <= 0 ? &a : &b;

		*end = *least;
		end = &(*least)->sorted;
		*least = *end;
	}
	*end = a ? a : b;
	return all;
}

static struct yaml_entry *sort(struct yaml_entry *list)
{
	struct yaml_entry *bins[BINS] = {NULL};
	struct yaml_entry *all = NULL;

	for (; list; list = list->next) {
		struct yaml_entry *carry = list;
		int bin = 0;

		carry->sorted = NULL;
		for (; bins[bin]; bin++) {
			carry = merge(bins[bin], carry);
			bins[bin] = NULL;
		}
		bins[bin] = carry;
	}
	for (int bin = 0; bin < BINS; bin++)
		all = merge(bins[bin], all);
	return all;
}

void yaml_drop_duplicates(struct yaml_node *mapping, struct problems *problems)
{
	struct yaml_entry **link = &mapping->first;
	struct yaml_entry *first = sort(mapping->first);
	bool any = false;

	for (struct yaml_entry *entry = first ? first->sorted : NULL; entry;
	     entry = entry->sorted) {
		if (!slice_equal(entry->name, first->name)) {
			first = entry;
			continue;
		}
		report(problems, entry->place, CODE_DUPLICATE_KEY,
		       "`%s` stands here a second time, first in line %u; remove one of them",
		       shown(entry->name, &(struct shown){""}), (unsigned)first->place.line);
		entry->value = NULL;
		any = true;
	}
	if (!any)
		return;
	while (*link) {
		if ((*link)->value) {
			link = &(*link)->next;
			continue;
		}
		*link = (*link)->next;
		mapping->n--;
	}
}

/* table.h - a hash table whose nodes belong to the caller.
 *
 * A node is the first member of whatever it stands for; the caller compares the
 * keys of those whose hash is equal. Adding never fails: without memory for more
 * buckets the table only gets slower.
 */
#ifndef SKALD_BUS_TABLE_H
#define SKALD_BUS_TABLE_H

#include "base/slice.h"

#include <stdint.h>

struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **buckets;
	size_t n_buckets; /* a power of two */
	size_t n;
};

bool table_init(struct table *table); /* false: out of memory */
void table_release(struct table *table);

uint64_t table_hash(struct slice key);

/* The first node with this hash, and the next after one; NULL: no more. */
struct table_node *table_first(const struct table *table, uint64_t hash);
struct table_node *table_next(const struct table_node *node);

void table_add(struct table *table, struct table_node *node, uint64_t hash);
void table_remove(struct table *table, struct table_node *node);

/* Call for every node, in no order. It may be freed then, where the table is not
 * used any more but to release it. */
void table_visit(const struct table *table,
		 void (*visit)(void *context, struct table_node *node), void *context);

#endif

#include "bus/table.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

bool table_init(struct table *table)
{
	*table = (struct table){.buckets = calloc(BUCKETS_MIN, sizeof(struct table_node *))};
	if (table->buckets)
		table->n_buckets = BUCKETS_MIN;
	return table->buckets != NULL;
}

void table_release(struct table *table)
{
	free(table->buckets);
	*table = (struct table){0};
}

/* FNV-1a */
uint64_t table_hash(struct slice key)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.at[i]) * 1099511628211u;
	return hash ^ hash >> 32;
}

static struct table_node **bucket_of(const struct table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->n_buckets - 1)];
}

struct table_node *table_first(const struct table *table, uint64_t hash)
{
	struct table_node *node = *bucket_of(table, hash);

	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct table_node *table_next(const struct table_node *node)
{
	struct table_node *next = node->next;

	while (next && next->hash != node->hash)
		next = next->next;
	return next;
}

static void put(struct table *table, struct table_node *node)
{
	struct table_node **bucket = bucket_of(table, node->hash);

	node->next = *bucket;
	*bucket = node;
}

static void grow(struct table *table)
{
	struct table grown = {.n_buckets = table->n_buckets * 2, .n = table->n};

	grown.buckets = calloc(grown.n_buckets, sizeof(struct table_node *));
	if (!grown.buckets)
		return;
	for (size_t i = 0; i < table->n_buckets; i++)
		while (table->buckets[i]) {
			struct table_node *node = table->buckets[i];

			table->buckets[i] = node->next;
			put(&grown, node);
		}
	free(table->buckets);
	*table = grown;
}

void table_add(struct table *table, struct table_node *node, uint64_t hash)
{
	if (table->n >= table->n_buckets)
		grow(table);
	node->hash = hash;
	put(table, node);
	table->n++;
}

void table_remove(struct table *table, struct table_node *node)
{
	struct table_node **link = bucket_of(table, node->hash);

	while (*link && *link != node)
		link = &(*link)->next;
	assert(*link);
	*link = node->next;
	table->n--;
}

void table_visit(const struct table *table,
		 void (*visit)(void *context, struct table_node *node), void *context)
{
	struct table_node *node, *next;

	for (size_t i = 0; i < table->n_buckets; i++)
		for (node = table->buckets[i]; node; node = next) {
			next = node->next;
			visit(context, node);
		}
}

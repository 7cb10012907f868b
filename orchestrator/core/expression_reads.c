/* expression_reads.c - which part of the input an expression looks at. */
#include "orchestrator/core/expression_node.h"

/* Take a name, and the point behind it, off the front of a path. */
static bool take_name(struct slice *path, struct slice name)
{
	if (path->len < name.len || memcmp(path->at, name.at, name.len) != 0 ||
	    (path->len > name.len && path->at[name.len] != '.'))
		return false;
	name.len += path->len > name.len;
	path->at += name.len;
	path->len -= name.len;
	return true;
}

static enum part_read path_reads(const struct path *path, struct slice wanted)
{
	if (!path->resolved || path->name.root != ROOT_INPUT)
		return READS_NOTHING;
	for (const struct segment *at = path->segments; at; at = at->next) {
		if (!wanted.len)
			return READS_IT;
		if (!at->is_index && !take_name(&wanted, at->name))
			return READS_NOTHING;
	}
	return wanted.len ? READS_AROUND : READS_IT;
}

/* Whatever is done with a value depends on all that it contains. */
static bool node_reads(const struct node *node, struct slice wanted);

static bool operands_read(const struct operand *operands, struct slice wanted)
{
	for (const struct operand *at = operands; at; at = at->next)
		if (node_reads(at->node, wanted))
			return true;
	return false;
}

static bool node_reads(const struct node *node, struct slice wanted)
{
	switch (node->kind) {
	case NODE_LITERAL: return false;
	case NODE_PATH:
		if (node->path.base)
			return node_reads(node->path.base, wanted);
		return path_reads(&node->path, wanted) != READS_NOTHING;
	case NODE_NOT:
	case NODE_NEGATE: return node_reads(node->operand, wanted);
	case NODE_CALL: return operands_read(node->arguments, wanted);
	case NODE_CHAIN: return operands_read(node->operands, wanted);
	}
	return true;
}

enum part_read expression_reads(const struct expression *expression, struct slice path)
{
	const struct node *root = expression->root;

	if (root->kind == NODE_PATH && !root->path.base)
		return path_reads(&root->path, path);
	return node_reads(root, path) ? READS_IT : READS_NOTHING;
}

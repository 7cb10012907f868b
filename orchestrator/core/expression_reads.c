/* expression_reads.c - which part of a value an expression looks at. */
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

struct part {
	enum root of;
	struct slice path;
};

/* *rest: what of the part's path is left where this one ends. */
static enum part_read path_reads(const struct path *path, const struct part *part,
				 struct slice *rest)
{
	*rest = part->path;
	if (!path->resolved || path->name.root != part->of)
		return READS_NOTHING;
	for (const struct segment *at = path->segments; at; at = at->next) {
		if (!rest->len)
			return READS_IT;
		if (!at->is_index && !take_name(rest, at->name))
			return READS_NOTHING;
	}
	return rest->len ? READS_AROUND : READS_IT;
}

/* Whatever is done with a value depends on all that it contains. */
static bool node_reads(const struct node *node, const struct part *part);

static bool operands_read(const struct operand *operands, const struct part *part)
{
	for (const struct operand *at = operands; at; at = at->next)
		if (node_reads(at->node, part))
			return true;
	return false;
}

static bool node_reads(const struct node *node, const struct part *part)
{
	struct slice rest;

	switch (node->kind) {
	case NODE_LITERAL: return false;
	case NODE_PATH:
		if (node->path.base)
			return node_reads(node->path.base, part);
		return path_reads(&node->path, part, &rest) != READS_NOTHING;
	case NODE_NOT:
	case NODE_NEGATE: return node_reads(node->operand, part);
	case NODE_CALL: return operands_read(node->arguments, part);
	case NODE_CHAIN: return operands_read(node->operands, part);
	}
	return true;
}

enum part_read expression_reads(const struct expression *expression, enum root of,
				struct slice path)
{
	const struct part part = {of, path};
	const struct node *root = expression->root;
	struct slice rest;

	if (root->kind == NODE_PATH && !root->path.base)
		return path_reads(&root->path, &part, &rest);
	return node_reads(root, &part) ? READS_IT : READS_NOTHING;
}

struct slice expression_rest(const struct expression *expression, struct slice path)
{
	const struct part part = {ROOT_INPUT, path};
	struct slice rest = {0};

	path_reads(&expression->root->path, &part, &rest);
	return rest;
}

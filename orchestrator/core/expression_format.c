/* expression_format.c - one spelling for all spellings of an expression. */
#include "orchestrator/core/expression_token.h"

static void write_node(struct bytes *out, struct node *node, enum level loosest);

static void write_quoted(struct bytes *out, struct slice characters, char quote)
{
	bytes_add(out, quote);
	for (size_t i = 0; i < characters.len; i++) {
		if (characters.at[i] == quote)
			bytes_add(out, quote);
		bytes_add(out, characters.at[i]);
	}
	bytes_add(out, quote);
}

static void write_path(struct bytes *out, struct path *path)
{
	path->text_start = (uint32_t)out->len;
	if (path->base)
		write_node(out, path->base, LEVEL_POSTFIX);
	else
		bytes_append(out, path->first);
	path->text_first_end = (uint32_t)out->len;
	for (struct segment *segment = path->segments; segment; segment = segment->next) {
		if (segment->is_index) {
			bytes_format(out, "[%u]", (unsigned)segment->index);
		} else if (member_name_plain(segment->name)) {
			bytes_add(out, '.');
			bytes_append(out, segment->name);
		} else {
			bytes_add(out, '[');
			write_quoted(out, segment->name, '"');
			bytes_add(out, ']');
		}
		segment->text_end = (uint32_t)out->len;
	}
}

static void write_call(struct bytes *out, const struct node *call)
{
	bytes_append(out, call->function_name);
	bytes_add(out, '(');
	for (struct operand *at = call->arguments; at; at = at->next) {
		write_node(out, at->node, LEVEL_OR);
		if (at->next)
			bytes_text(out, ", ");
	}
	bytes_add(out, ')');
}

static void write_chain(struct bytes *out, const struct node *chain)
{
	for (struct operand *at = chain->operands; at; at = at->next) {
		if (at != chain->operands) {
			bytes_add(out, ' ');
			bytes_text(out, operation_texts[at->op].text);
			bytes_add(out, ' ');
		}
		write_node(out, at->node, chain->level + 1);
	}
}

static enum level node_level(const struct node *node)
{
	switch (node->kind) {
	case NODE_CHAIN: return node->level;
	case NODE_NOT:
	case NODE_NEGATE: return LEVEL_UNARY;
	case NODE_LITERAL:
	case NODE_PATH:
	case NODE_CALL: break;
	}
	return LEVEL_POSTFIX;
}

static void write_plain(struct bytes *out, struct node *node)
{
	switch (node->kind) {
	case NODE_LITERAL:
		if (node->literal.type == JSON_TEXT)
			write_quoted(out, node->literal.text, '\'');
		else
			bytes_append(out, node->literal.source.text);
		return;
	case NODE_PATH: write_path(out, &node->path); return;
	case NODE_NOT:
	case NODE_NEGATE:
		bytes_add(out, node->kind == NODE_NOT ? '!' : '-');
		write_node(out, node->operand, LEVEL_UNARY);
		return;
	case NODE_CALL: write_call(out, node); return;
	case NODE_CHAIN: write_chain(out, node); return;
	}
}

/* In parentheses where it binds looser than its place allows. */
static void write_node(struct bytes *out, struct node *node, enum level loosest)
{
	bool parentheses = node_level(node) < loosest;

	if (parentheses)
		bytes_add(out, '(');
	write_plain(out, node);
	if (parentheses)
		bytes_add(out, ')');
}

void expression_format(struct bytes *out, struct node *root)
{
	write_node(out, root, LEVEL_OR);
}

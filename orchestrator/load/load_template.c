/* load_template.c - arguments and output: JSON with expressions in it. */
#include "orchestrator/load/loader.h"

/* Whether there is no expression inside. */
static bool is_literal(const struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR)
		return scalar_type(node) != SCALAR_EXPRESSION;
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		if (!is_literal(entry->value))
			return false;
	}
	return true;
}

static bool fill_literal(struct loader *loader, const struct yaml_node *node,
			 struct template *out)
{
	struct bytes json = BYTES(PAYLOAD_MAX, &loader->scratch);

	out->kind = TEMPLATE_LITERAL;
	if (!write_json(loader, &json, node))
		return false;
	if (json.err == ERR_TOO_LARGE)
		report(loader->problems, node->place, CODE_PAYLOAD_TOO_LARGE,
		       "this value has more than %d bytes, which no command can carry; pass a "
		       "reference to it instead",
		       PAYLOAD_MAX);
	if (json.err == ERR_NOMEM)
		loader->nomem = true;
	return !json.err && keep_text(loader, bytes_slice(&json), &out->literal.text);
}

static bool fill(struct loader *loader, const struct yaml_node *node, const struct scope *scope,
		 struct template *out);

static bool fill_entries(struct loader *loader, const struct yaml_node *node,
			 const struct scope *scope, struct template *out)
{
	struct template_entry *entries = keep_alloc(loader, node->n, sizeof *entries);
	bool right = true;

	if (!entries)
		return false;
	out->kind = node->kind == YAML_LIST ? TEMPLATE_LIST : TEMPLATE_OBJECT;
	out->entries = entries;
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		struct template *value = keep_alloc(loader, 1, sizeof *value);

		if (!value || !keep_text(loader, entry->name, &entries[out->n_entries].name))
			return false;
		entries[out->n_entries++].value = value;
		right &= fill(loader, entry->value, scope, value);
	}
	return right;
}

static bool fill(struct loader *loader, const struct yaml_node *node, const struct scope *scope,
		 struct template *out)
{
	if (node->broken)
		return false;
	if (is_literal(node))
		return fill_literal(loader, node, out);
	if (!count_value(loader, node->place))
		return false;
	if (node->kind != YAML_SCALAR)
		return fill_entries(loader, node, scope, out);
	out->kind = TEMPLATE_EXPRESSION;
	out->expression = load_expression(loader, node, scope);
	return out->expression != NULL;
}

const struct template *load_template(struct loader *loader, const struct yaml_node *node,
				     const struct scope *scope)
{
	struct template *template = keep_alloc(loader, 1, sizeof *template);

	if (!template)
		return NULL;
	if (!node) {
		template->kind = TEMPLATE_LITERAL;
		template->literal = JSON_OF("{}");
		return template;
	}
	if (node->kind == YAML_LIST ||
	    (node->kind == YAML_SCALAR && scalar_type(node) != SCALAR_EXPRESSION)) {
		report_type(loader, node,
			    "arguments need a mapping such as { sku: =input.sku }, or one "
			    "expression");
		return NULL;
	}
	return fill(loader, node, scope, template) ? template : NULL;
}

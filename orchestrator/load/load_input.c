/* load_input.c - input: { schema, mask }. */
#include "orchestrator/load/loader.h"

/* The name as it leads from where the definition is: orders/a.yaml and s.json are
 * orders/s.json, for messages. */
static const char *beside(struct loader *loader, const char *file, struct slice name)
{
	const char *slash = strrchr(file, '/');
	size_t folder = slash && name.at[0] != '/' ? (size_t)(slash - file) + 1 : 0;
	char *path = arena_alloc(loader->problems->arena, folder + name.len + 1);

	if (!path) {
		loader->nomem = true;
		return file;
	}
	memcpy(path, file, folder);
	memcpy(path + folder, name.at, name.len);
	return path;
}

static bool open_schema(struct loader *loader, const struct yaml_node *node, struct slice *out)
{
	struct diag diag = {""};
	struct shown room = {""};
	enum err err;

	shown(node->text, &room);
	if (!loader->opener || memchr(node->text.at, '\0', node->text.len)) {
		report(loader->problems, node->place, CODE_FILE_UNREADABLE,
		       "the schema file %s cannot be opened from here; write the schema into "
		       "the "
		       "definition",
		       room.text);
		return false;
	}
	err = loader->opener->open(loader->opener->context, node->text.at, DEFINITION_TEXT_MAX,
				   &loader->scratch, out, &diag);
	if (err == ERR_NOMEM)
		loader->nomem = true;
	else if (err == ERR_NOT_FOUND)
		report(loader->problems, node->place, CODE_FILE_NOT_FOUND,
		       "there is no schema file %s; its path starts from the folder of this "
		       "file",
		       room.text);
	else if (err == ERR_TOO_LARGE)
		report(loader->problems, node->place, CODE_TOO_LARGE,
		       "the schema file %s has more than %d bytes; make it smaller", room.text,
		       DEFINITION_TEXT_MAX);
	else if (err)
		report(loader->problems, node->place, CODE_FILE_UNREADABLE,
		       "the schema file %s cannot be read (%s); check its name and its rights",
		       room.text, diag.text);
	return !err;
}

static const struct schema *load_schema_file(struct loader *loader,
					     const struct yaml_node *node)
{
	const char *file = loader->problems->file;
	const struct schema *schema = &schema_any;
	struct yaml_node *root = NULL;
	struct slice text;
	enum err err;

	if (!open_schema(loader, node, &text))
		return schema;
	loader->problems->file = beside(loader, file, node->text);
	err = json_tree(text, &loader->scratch, loader->problems, &root);
	loader->nomem |= err == ERR_NOMEM;
	if (!err)
		schema = load_schema(loader, root);
	loader->problems->file = file;
	return schema;
}

static void load_input_schema(struct loader *loader, const struct yaml_node *node)
{
	static const char needs[] =
		"`schema` needs the name of a JSON Schema file, or the schema itself";
	struct definition *definition = loader->definition;
	struct slice name;

	definition->has_input_schema = true;
	if (node->kind == YAML_MAPPING)
		definition->input = load_schema(loader, node);
	else if (read_text(loader, node, needs, &name))
		definition->input = load_schema_file(loader, node);
}

/* --- mask ---------------------------------------------------------------------- */

/* The names that the value has, for "did you mean"; NULL: none or no memory. */
static const char *suggest_member(struct loader *loader, const struct schema *schema,
				  struct slice name)
{
	const char **names = scratch_alloc(loader, schema->n_properties, sizeof *names);

	if (!names)
		return NULL;
	for (size_t i = 0; i < schema->n_properties; i++)
		names[i] = schema->properties[i].name.at;
	return suggest(name, names, schema->n_properties);
}

static void report_mask(struct loader *loader, const struct yaml_node *node,
			const struct schema *schema, struct slice name)
{
	const char *likely = suggest_member(loader, schema, name);
	struct shown path = {""}, part = {""};

	shown(node->text, &path);
	shown(name, &part);
	if (likely)
		report(loader->problems, node->place, CODE_BAD_MASK,
		       "the mask `%s` names nothing: the schema has no `%s` there; did you "
		       "mean "
		       "`%s`?",
		       path.text, part.text, likely);
	else
		report(loader->problems, node->place, CODE_BAD_MASK,
		       "the mask `%s` names nothing: the schema has no `%s` there; correct the "
		       "path or the schema",
		       path.text, part.text);
}

/* A list on the way stands for its elements. */
static const struct schema *through_lists(const struct schema *schema)
{
	while (schema && schema != &schema_any && !(schema->types & TYPE_OF(JSON_OBJECT)) &&
	       schema->types & TYPE_OF(JSON_LIST))
		schema = schema_element(schema);
	return schema;
}

static void check_mask(struct loader *loader, const struct yaml_node *node, struct slice path)
{
	const struct schema *schema = loader->definition->input;

	for (;;) {
		const char *point = memchr(path.at, '.', path.len);
		struct slice name = {path.at, point ? (size_t)(point - path.at) : path.len};
		const struct schema *around = through_lists(schema);

		if (name.len == 0) {
			report(loader->problems, node->place, CODE_BAD_MASK,
			       "a mask is a path into the input, such as card.number; write "
			       "names "
			       "with points between them");
			return;
		}
		if (!around)
			return;
		schema = schema_member(around, name);
		if (!schema) {
			report_mask(loader, node, around, name);
			return;
		}
		if (!point)
			return;
		path = (struct slice){point + 1, path.len - name.len - 1};
	}
}

static void load_mask(struct loader *loader, const struct yaml_node *node)
{
	static const char needs[] = "`mask` needs a list of paths such as [card.number]";
	struct definition *definition = loader->definition;
	struct slice *mask;
	struct slice path;

	if (node->kind != YAML_LIST) {
		report_type(loader, node, needs);
		return;
	}
	if (node->n > MASK_MAX) {
		report(loader->problems, node->place, CODE_BAD_MASK,
		       "`mask` has %zu paths; at most %d are allowed, so mask what contains "
		       "them",
		       node->n, MASK_MAX);
		return;
	}
	mask = keep_alloc(loader, node->n, sizeof *mask);
	if (!mask)
		return;
	definition->mask = mask;
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		if (!read_text(loader, entry->value, needs, &path))
			continue;
		check_mask(loader, entry->value, path);
		if (!keep_text(loader, path, &mask[definition->n_mask++]))
			return;
	}
}

void load_input(struct loader *loader, const struct yaml_node *node)
{
	static const char *const names[] = {"schema", "mask"};
	static const struct keys keys = {"in `input`", names, 2};

	if (!mapping_check(loader, node,
			   "`input` needs a mapping such as { schema: FILE, mask: [paths] }"))
		return;
	(void)keys_check(loader, node, &keys);
	if (member(node, "schema"))
		load_input_schema(loader, member(node, "schema"));
	if (member(node, "mask"))
		load_mask(loader, member(node, "mask"));
}

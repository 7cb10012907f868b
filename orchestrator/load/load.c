/* load.c - the top level of a definition, and the order of the passes. */
#include "orchestrator/load/load.h"

#include "orchestrator/load/loader.h"
#include "orchestrator/load/normal.h"

static void load_name(struct loader *loader, const struct yaml_node *node)
{
	struct slice name;

	if (read_text(loader, node, "`saga` needs the name of the saga, such as order",
		      &name) &&
	    check_name(loader, name, node->place, "a saga"))
		(void)keep_text(loader, name, &loader->definition->name);
}

static void load_version(struct loader *loader, const struct yaml_node *node)
{
	struct shown room = {""};

	if (node->broken)
		return;
	if (node->kind != YAML_SCALAR || node->text.len == 0) {
		report_type(loader, node, "`version` needs major.minor.patch, such as 1.0.0");
		return;
	}
	if (!version_valid(node->text)) {
		report(loader->problems, node->place, CODE_BAD_VERSION,
		       "%s is not a version; write major.minor.patch, such as 1.0.0 or "
		       "2.1.0-rc.1",
		       shown(node->text, &room));
		return;
	}
	if (node->text.len > VERSION_MAX_BYTES) {
		report(loader->problems, node->place, CODE_BAD_VERSION,
		       "this version has more than %d characters; write a shorter one",
		       VERSION_MAX_BYTES);
		return;
	}
	(void)keep_text(loader, node->text, &loader->definition->version);
}

static void load_deadline(struct loader *loader, const struct yaml_node *node)
{
	static const char *const names[] = {"after", "then"};
	static const struct keys keys = {"in `deadline`", names, 2};
	static const char *const words[] = {"compensate", NULL};
	int word;

	loader->deadline_given = true;
	if (!mapping_check(
		    loader, node,
		    "`deadline` needs a mapping such as { after: 15m, then: compensate }"))
		return;
	(void)keys_check(loader, node, &keys);
	if (member(node, "after"))
		(void)read_duration(loader, member(node, "after"), "after",
				    &loader->definition->deadline_ms);
	else if (is_missing(node, "after", &keys))
		report(loader->problems, node->place, CODE_MISSING_KEY,
		       "`after` is missing in `deadline`; say how long a saga may take, such "
		       "as "
		       "15m");
	if (member(node, "then"))
		(void)read_word(loader, member(node, "then"), "then", words, &word);
}

static void load_use(struct loader *loader, const struct yaml_node *node)
{
	static const char *const names[] = {"retry"};
	static const struct keys keys = {"in `use`", names, 1};

	if (!mapping_check(
		    loader, node,
		    "`use` needs a mapping such as { retry: { NAME: { attempts: 6 } } }"))
		return;
	(void)keys_check(loader, node, &keys);
	if (member(node, "retry"))
		load_named_retries(loader, member(node, "retry"));
	loader->definition->retries = loader->retries;
	loader->definition->n_retries = loader->n_retries;
}

static void report_unused_retries(struct loader *loader, const struct yaml_node *root)
{
	const struct yaml_entry *entry;
	size_t i = 0;

	if (loader->n_retries == 0)
		return;
	entry = member(member(root, "use"), "retry")->first;
	for (; i < loader->n_retries; i++, entry = entry->next) {
		if (!loader->retry_used[i])
			report(loader->problems, entry->place, CODE_UNUSED_RETRY,
			       "no step uses the retry `%s`; remove it, or name it in a step",
			       loader->retries[i].name.at);
	}
}

static void load_description(struct loader *loader, const struct yaml_node *node)
{
	struct slice text;

	if (read_text(loader, node, "`description` needs a text", &text))
		(void)keep_text(loader, text, &loader->definition->description);
}

static void check_top_keys(struct loader *loader, const struct yaml_node *root)
{
	static const char *const names[] = {"saga", "version", "description",
					    "key",  "input",   "deadline",
					    "use",  "steps",   "output"};
	static const struct keys keys = {"at the top level", names, 9};
	static const struct {
		const char *name;
		const char *sentence;
	} required[] = {
		{"saga", "`saga` is missing; name the saga, as in `saga: order`"},
		{"version",
		 "`version` is missing; say which one this is, as in `version: 1.0.0`"},
		{"steps", "`steps` is missing; list what the saga does"},
	};

	(void)keys_check(loader, root, &keys);
	for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
		if (is_missing(root, required[i].name, &keys))
			report(loader->problems, root->place, CODE_MISSING_KEY, "%s",
			       required[i].sentence);
	}
}

/* Expressions mean little while it is not known which steps there are. */
static void load_all_expressions(struct loader *loader, const struct yaml_node *root)
{
	if (member(root, "key"))
		load_key(loader, member(root, "key"));
	if (loader->too_many_steps)
		return;
	load_expressions(loader);
	if (member(root, "output"))
		load_output(loader, member(root, "output"));
}

void load_document(struct loader *loader, const struct yaml_node *root)
{
	static const struct {
		const char *name;
		void (*load)(struct loader *loader, const struct yaml_node *node);
	} members[] = {
		{"saga", load_name},
		{"version", load_version},
		{"description", load_description},
		{"deadline", load_deadline},
		{"input", load_input},
		{"use", load_use},
		{"steps", load_steps},
	};
	size_t n_errors = loader->problems->n_errors;

	if (!mapping_check(loader, root,
			   "a definition is a mapping that begins with `saga: NAME`"))
		return;
	check_top_keys(loader, root);
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		const struct yaml_node *node = member(root, members[i].name);

		if (node)
			members[i].load(loader, node);
	}
	check_rules(loader);
	load_all_expressions(loader, root);
	if (loader->problems->n_errors == n_errors && !loader->nomem)
		report_unused_retries(loader, root);
}

/* The steps as they stay; the drafts are forgotten. */
static void keep_steps(struct loader *loader)
{
	struct definition *definition = loader->definition;
	struct step_definition *steps = keep_alloc(loader, loader->n_steps, sizeof *steps);

	if (!steps)
		return;
	for (uint32_t i = 0; i < loader->n_steps; i++)
		steps[i] = loader->drafts[i].step;
	definition->steps = steps;
	definition->n_steps = loader->n_steps;
	definition->pivot = loader->pivot;
}

static void keep_normal(struct loader *loader)
{
	struct definition *definition = loader->definition;
	struct bytes normal = BYTES(DEFINITION_TEXT_MAX, NULL);

	normal_write(&normal, definition);
	if (normal.err == ERR_TOO_LARGE)
		report(loader->problems, (struct place){0}, CODE_TOO_LARGE,
		       "with its schema and all defaults written out the definition has more "
		       "than "
		       "%d bytes; make it smaller",
		       DEFINITION_TEXT_MAX);
	loader->nomem |= normal.err == ERR_NOMEM;
	if (!normal.err && keep_text(loader, bytes_slice(&normal), &definition->normal))
		sha256(definition->normal, definition->hash);
	bytes_release(&normal);
}

static enum err load_tree(struct loader *loader, struct slice text)
{
	struct yaml_node *root = NULL;
	size_t n_errors = loader->problems->n_errors;
	enum err err = yaml_tree(text, &loader->scratch, loader->problems, &root);

	if (err)
		return err;
	loader->drafts = scratch_alloc(loader, STEPS_MAX, sizeof *loader->drafts);
	loader->definition = keep_alloc(loader, 1, sizeof *loader->definition);
	if (!loader->drafts || !loader->definition)
		return ERR_NOMEM;
	loader->definition->input = &schema_any;
	load_document(loader, root);
	if (!loader->nomem && loader->problems->n_errors == n_errors) {
		keep_steps(loader);
		if (!loader->nomem)
			keep_normal(loader);
	}
	return loader->problems->n_errors > n_errors ? ERR_INVALID : OK;
}

enum err load_text(const char *file, struct slice text, const struct file_opener *opener,
		   struct problems *problems, struct definition **out)
{
	struct arena arena = {0};
	struct loader loader = {.arena = &arena, .problems = problems, .opener = opener};
	enum err err;

	*out = NULL;
	problems->file = file;
	if (text.len > DEFINITION_TEXT_MAX) {
		report(problems, (struct place){0}, CODE_TOO_LARGE,
		       "the file has %zu bytes; a definition has at most %d, so make it "
		       "smaller",
		       text.len, DEFINITION_TEXT_MAX);
		return problems->nomem ? ERR_NOMEM : ERR_INVALID;
	}
	err = load_tree(&loader, text);
	if (loader.nomem || problems->nomem)
		err = ERR_NOMEM;
	arena_release(&loader.scratch);
	problems_sort(problems);
	if (err) {
		arena_release(&arena);
		return err;
	}
	loader.definition->arena = arena;
	*out = loader.definition;
	return OK;
}

enum err load_stored(struct slice normal, struct definition **out, struct diag *diag)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	enum err err = load_text("definition", normal, NULL, &problems, out);

	if (err && problems.n)
		err = diag_set(diag, err, "a definition in the store cannot be read: %.300s",
			       problems.list[0].text);
	arena_release(&arena);
	return err;
}

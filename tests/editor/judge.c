/* judge.c - what the loader says of definitions, for compare.py.
 *
 *	judge FILE...    a line of JSON for each file:
 *	                 {"file":...,"errors":[{"code":...,"text":...}],"tree":...}
 *	judge -          the same, without tree, for each line of standard input,
 *	                 which is a definition written as JSON
 *	judge --codes    every code that there is, a line each
 *
 * An error in another file, a schema, has "elsewhere":true. The tree is the
 * definition as JSON, null where it is none. */
#include "orchestrator/load/codes.h"
#include "orchestrator/load/load.h"
#include "orchestrator/load/scalar.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 16 * 1024 * 1024 };

static void fail(const char *what)
{
	fprintf(stderr, "judge: %s\n", what);
	exit(EXIT_FAILURE);
}

/* --- a definition as JSON ------------------------------------------------------- */

static void write_scalar(struct bytes *out, const struct yaml_node *node)
{
	switch (scalar_type(node)) {
	case SCALAR_NULL: bytes_text(out, "null"); break;
	case SCALAR_BOOL:
	case SCALAR_NUMBER: bytes_append(out, node->text); break;
	case SCALAR_TEXT:
	case SCALAR_EXPRESSION:
	case SCALAR_AMBIGUOUS: json_write_text(out, node->text); break;
	}
}

static void write_node(struct bytes *out, const struct yaml_node *node)
{
	bool list = node->kind == YAML_LIST;

	if (node->kind == YAML_SCALAR) {
		write_scalar(out, node);
		return;
	}
	bytes_add(out, list ? '[' : '{');
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		if (entry != node->first)
			bytes_add(out, ',');
		if (!list) {
			json_write_text(out, entry->name);
			bytes_add(out, ':');
		}
		write_node(out, entry->value);
	}
	bytes_add(out, list ? ']' : '}');
}

static void write_tree(struct bytes *out, struct slice text)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct yaml_node *root = NULL;

	bytes_text(out, ",\"tree\":");
	if (text.len > DEFINITION_TEXT_MAX || yaml_tree(text, &arena, &problems, &root))
		bytes_text(out, "null");
	else
		write_node(out, root);
	arena_release(&arena);
}

/* --- what is wrong with it ------------------------------------------------------ */

static void write_errors(struct bytes *out, const struct problems *problems, const char *file)
{
	const char *separator = "";

	bytes_text(out, ",\"errors\":[");
	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *problem = &problems->list[i];

		if (problem->severity != SEVERITY_ERROR)
			continue;
		bytes_text(out, separator);
		bytes_text(out, "{\"code\":");
		json_write_text(out, slice_of(problem->code));
		bytes_text(out, ",\"text\":");
		json_write_text(out, slice_of(problem->text));
		if (strcmp(problem->file, file))
			bytes_text(out, ",\"elsewhere\":true");
		bytes_add(out, '}');
		separator = ",";
	}
	bytes_add(out, ']');
}

static void read_text(const char *path, struct bytes *out)
{
	FILE *file = fopen(path, "rb");
	char piece[4096];
	size_t n;

	if (!file)
		fail(path);
	while ((n = fread(piece, 1, sizeof piece, file)) > 0)
		bytes_append(out, (struct slice){piece, n});
	fclose(file);
}

/* `line`: the definition itself; NULL: it is in the file. */
static void judge(const char *path, const struct slice *line)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;
	struct bytes text = BYTES(LINE_MAX_BYTES, NULL), out = BYTES(LINE_MAX_BYTES, NULL);
	enum err err = line ? load_text(path, *line, NULL, &problems, &definition)
			    : load_file(path, &problems, &definition);

	if (err == ERR_NOMEM)
		fail("out of memory");
	bytes_text(&out, "{\"file\":");
	json_write_text(&out, slice_of(path));
	write_errors(&out, &problems, path);
	if (!line) {
		read_text(path, &text);
		write_tree(&out, bytes_slice(&text));
	}
	bytes_text(&out, "}\n");
	if (text.err || out.err || fwrite(out.at, 1, out.len, stdout) != out.len)
		fail("cannot write");
	bytes_release(&text);
	bytes_release(&out);
	definition_free(definition);
	arena_release(&arena);
}

static void judge_lines(void)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;

	while ((len = getline(&line, &capacity, stdin)) > 0)
		judge("line", &(struct slice){line, (size_t)len});
	free(line);
}

static void list_codes(void)
{
	for (int code = 0; code < N_CODES; code++)
		printf("%s\n", code_text((enum code)code));
	for (const char *const *code = expression_codes; *code; code++)
		printf("%s\n", *code);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--codes"))
			list_codes();
		else if (!strcmp(argv[i], "-"))
			judge_lines();
		else
			judge(argv[i], NULL);
	}
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

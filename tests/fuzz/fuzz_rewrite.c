/* fuzz_rewrite.c - any bytes as a definition: rewritten in normal form, with its
 * comments, it is the same saga, and rewriting that once more changes nothing;
 * and whatever loads can be drawn.
 */
#include "cli/graph.h"
#include "orchestrator/load/load.h"
#include "orchestrator/load/rewrite.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct definition *load(struct slice text, struct arena *arena)
{
	struct problems problems = {.arena = arena};
	struct definition *definition = NULL;
	enum err err = load_text("fuzz.yaml", text, NULL, &problems, &definition);

	return err ? NULL : definition;
}

static struct slice rewritten(struct slice source, struct slice normal, struct arena *arena,
			      uint32_t *lost_line)
{
	struct bytes out = BYTES(4 * DEFINITION_TEXT_MAX, arena);

	if (rewrite(source, normal, arena, &out, lost_line))
		abort();
	return bytes_slice(&out);
}

static void check_rewrite(struct slice source, const struct definition *definition,
			  struct arena *arena)
{
	uint32_t lost_line;
	struct slice first = rewritten(source, definition->normal, arena, &lost_line);
	struct slice second = rewritten(first, definition->normal, arena, &lost_line);
	struct definition *again = load(first, arena);

	if (!again || memcmp(again->hash, definition->hash, SHA256_SIZE) != 0)
		abort();
	if (lost_line || !slice_equal(first, second))
		abort();
	definition_free(again);
}

static void check_graphs(const struct definition *definition, size_t width)
{
	struct graph_style style = {.width = width, .ascii = width % 2, .colour = width % 3};
	struct bytes out = BYTES(4 * GRAPH_MAX, NULL);

	if (graph_text(definition, &style, &out) || graph_dot(definition, &out) ||
	    graph_mermaid(definition, &out))
		abort();
	bytes_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct arena arena = {0};
	struct definition *definition;
	struct bytes out = BYTES(4 * DEFINITION_TEXT_MAX, &arena);
	uint32_t lost_line;
	enum err err;

	/* Any YAML may be rewritten as if it were its own normal form. */
	err = size > DEFINITION_TEXT_MAX ? ERR_TOO_LARGE
					 : rewrite(text, text, &arena, &out, &lost_line);
	if (err == ERR_NOMEM)
		abort();
	definition = load(text, &arena);
	if (definition) {
		check_rewrite(text, definition, &arena);
		check_graphs(definition, size % 150);
		definition_free(definition);
	}
	arena_release(&arena);
	return 0;
}

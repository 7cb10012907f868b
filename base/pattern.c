#include "base/pattern.h"
#include "base/pattern_tree.h"
#include "base/utf8.h"

#include <assert.h>

enum operation { OP_CHAR, OP_SET, OP_BEGIN, OP_END, OP_SPLIT, OP_JUMP, OP_MATCH };

/* All but the jumps go on with the next instruction. */
struct instruction {
	enum operation operation;
	uint32_t c;
	uint32_t x; /* OP_SPLIT and OP_JUMP: where to go */
	uint32_t y; /* OP_SPLIT: and where else */
	const struct char_set *set;
};

struct pattern {
	struct instruction *code;
	uint32_t n;
};

static size_t cap(size_t size)
{
	return size > PATTERN_CODE_MAX ? PATTERN_CODE_MAX + 1 : size;
}

static size_t repeat_size(const struct node *node, size_t body)
{
	if (body == 0)
		return 0;
	if (node->max != REPEAT_FOREVER)
		return node->min * body + (node->max - node->min) * (body + 1);
	return node->min ? node->min * body + 1 : body + 2;
}

/* How many instructions the node becomes, without emitting one: a pattern that
 * is too large must cost nothing to refuse. More than allowed is all the same. */
static size_t code_size(const struct node *node)
{
	size_t size = 0;

	switch (node->type) {
	case NODE_CHAR:
	case NODE_SET:
	case NODE_BEGIN:
	case NODE_END: return 1;
	case NODE_SEQUENCE:
	case NODE_CHOICE:
		for (const struct node *child = node->child; child; child = child->next) {
			size += code_size(child);
			if (node->type == NODE_CHOICE && child->next)
				size += 2;
		}
		return cap(size);
	case NODE_REPEAT: return cap(repeat_size(node, code_size(node->child)));
	}
	return size;
}

static void emit(struct pattern *pattern, const struct node *node);

static uint32_t add(struct pattern *pattern, struct instruction instruction)
{
	pattern->code[pattern->n] = instruction;
	return pattern->n++;
}

static void emit_choice(struct pattern *pattern, const struct node *node)
{
	uint32_t jumps = UINT32_MAX; /* each not yet aimed, chained through its x */

	for (const struct node *child = node->child; child; child = child->next) {
		uint32_t split;

		if (!child->next) {
			emit(pattern, child);
			break;
		}
		split = add(pattern, (struct instruction){.operation = OP_SPLIT});
		pattern->code[split].x = pattern->n;
		emit(pattern, child);
		jumps = add(pattern, (struct instruction){.operation = OP_JUMP, .x = jumps});
		pattern->code[split].y = pattern->n;
	}
	while (jumps != UINT32_MAX) {
		uint32_t next = pattern->code[jumps].x;

		pattern->code[jumps].x = pattern->n;
		jumps = next;
	}
}

static void emit_loop(struct pattern *pattern, const struct node *node, uint32_t newest)
{
	uint32_t split;

	if (node->min > 0) {
		add(pattern, (struct instruction){
				     .operation = OP_SPLIT, .x = newest, .y = pattern->n + 1});
		return;
	}
	split = add(pattern, (struct instruction){.operation = OP_SPLIT, .x = pattern->n + 1});
	emit(pattern, node->child);
	add(pattern, (struct instruction){.operation = OP_JUMP, .x = split});
	pattern->code[split].y = pattern->n;
}

static void emit_repeat(struct pattern *pattern, const struct node *node)
{
	uint32_t newest = pattern->n, first, optional;

	/* A body without code matches only the empty text, as often as one likes. */
	if (code_size(node->child) == 0)
		return;
	for (uint32_t i = 0; i < node->min; i++) {
		newest = pattern->n;
		emit(pattern, node->child);
	}
	if (node->max == REPEAT_FOREVER) {
		emit_loop(pattern, node, newest);
		return;
	}
	optional = node->max - node->min;
	first = pattern->n;
	for (uint32_t i = 0; i < optional; i++) {
		add(pattern, (struct instruction){.operation = OP_SPLIT, .x = pattern->n + 1});
		emit(pattern, node->child);
	}
	/* The copies are equally long; giving up before any of them ends it all. */
	for (uint32_t i = 0; i < optional; i++)
		pattern->code[first + (pattern->n - first) / optional * i].y = pattern->n;
}

static void emit(struct pattern *pattern, const struct node *node)
{
	switch (node->type) {
	case NODE_CHAR:
		add(pattern, (struct instruction){.operation = OP_CHAR, .c = node->c});
		break;
	case NODE_SET:
		add(pattern, (struct instruction){.operation = OP_SET, .set = node->set});
		break;
	case NODE_BEGIN: add(pattern, (struct instruction){.operation = OP_BEGIN}); break;
	case NODE_END: add(pattern, (struct instruction){.operation = OP_END}); break;
	case NODE_SEQUENCE:
		for (const struct node *child = node->child; child; child = child->next)
			emit(pattern, child);
		break;
	case NODE_CHOICE: emit_choice(pattern, node); break;
	case NODE_REPEAT: emit_repeat(pattern, node); break;
	}
}

enum err pattern_compile(struct slice text, struct arena *arena, struct pattern **out,
			 struct diag *diag)
{
	struct pattern *pattern;
	struct node *tree;
	size_t size;
	enum err err = pattern_parse(text, arena, &tree, diag);

	if (err)
		return err;
	size = code_size(tree) + 1;
	if (size > PATTERN_CODE_MAX)
		return diag_set(diag, ERR_TOO_LARGE,
				"the pattern repeats too much: it would take more than %d "
				"instructions; lower the counts in { }",
				PATTERN_CODE_MAX);
	pattern = arena_alloc(arena, sizeof *pattern);
	if (pattern)
		pattern->code = arena_array(arena, size, sizeof *pattern->code);
	if (!pattern || !pattern->code)
		return diag_set(diag, ERR_NOMEM, "out of memory for the pattern");
	emit(pattern, tree);
	add(pattern, (struct instruction){.operation = OP_MATCH});
	assert(pattern->n == size);
	*out = pattern;
	return OK;
}

/* The instructions that wait for the next character, all ways to match at once:
 * none is in it twice, so that a character costs at most one look at each. */
struct states {
	uint32_t *list;
	uint32_t n;
};

struct run {
	const struct pattern *pattern;
	uint32_t *stack;
	size_t *seen;    /* the last position at which an instruction was reached */
	size_t position; /* counts from 1 */
	bool at_begin;
	bool at_end;
	bool matched;
};

static void reach(struct run *run, uint32_t pc, uint32_t *depth)
{
	if (run->seen[pc] == run->position)
		return;
	run->seen[pc] = run->position;
	run->stack[(*depth)++] = pc;
}

/* Add an instruction and all that follows from it without a character. */
static void follow(struct run *run, struct states *states, uint32_t from)
{
	uint32_t depth = 0;

	reach(run, from, &depth);
	while (depth > 0) {
		uint32_t pc = run->stack[--depth];
		const struct instruction *at = &run->pattern->code[pc];

		switch (at->operation) {
		case OP_CHAR:
		case OP_SET: states->list[states->n++] = pc; break;
		case OP_BEGIN:
			if (run->at_begin)
				reach(run, pc + 1, &depth);
			break;
		case OP_END:
			if (run->at_end)
				reach(run, pc + 1, &depth);
			break;
		case OP_SPLIT:
			reach(run, at->y, &depth);
			reach(run, at->x, &depth);
			break;
		case OP_JUMP: reach(run, at->x, &depth); break;
		case OP_MATCH: run->matched = true; break;
		}
	}
}

static bool takes(const struct instruction *at, uint32_t c)
{
	return at->operation == OP_CHAR ? at->c == c : char_set_has(at->set, c);
}

static size_t decode(struct slice text, uint32_t *c)
{
	size_t len = utf8_decode(text, c);

	if (len > 0)
		return len;
	*c = 0xfffd;
	return 1;
}

static bool run_over(struct run *run, struct states *now, struct states *next,
		     struct slice text)
{
	for (;;) {
		struct states *swap = now;
		uint32_t c;
		size_t len;

		follow(run, now, 0);
		if (run->matched || text.len == 0)
			return run->matched;
		len = decode(text, &c);
		text.at += len;
		text.len -= len;
		run->position++;
		run->at_begin = false;
		run->at_end = text.len == 0;
		next->n = 0;
		for (uint32_t i = 0; i < now->n; i++) {
			if (takes(&run->pattern->code[now->list[i]], c))
				follow(run, next, now->list[i] + 1);
		}
		now = next;
		next = swap;
	}
}

bool pattern_matches(const struct pattern *pattern, struct slice text, struct arena *arena,
		     bool *nomem)
{
	struct states now = {arena_array(arena, pattern->n, sizeof(uint32_t)), 0};
	struct states next = {arena_array(arena, pattern->n, sizeof(uint32_t)), 0};
	struct run run = {.pattern = pattern, .position = 1, .at_begin = true};

	run.stack = arena_array(arena, pattern->n, sizeof *run.stack);
	run.seen = arena_array(arena, pattern->n, sizeof *run.seen);
	run.at_end = text.len == 0;
	if (!now.list || !next.list || !run.stack || !run.seen) {
		*nomem = true;
		return false;
	}
	return run_over(&run, &now, &next, text);
}

/* --- examples --------------------------------------------------------------------- */

/* Letters, digits and what else people can read, where the set has any of it. */
static uint32_t pick(const struct char_set *set, uint64_t number)
{
	static const struct char_range liked[] = {
		{'a', 'z'}, {'0', '9'}, {'A', 'Z'}, {'!', '~'}};

	for (size_t i = 0; i < sizeof liked / sizeof *liked; i++) {
		uint32_t n = liked[i].last - liked[i].first + 1;

		for (uint32_t k = 0; k < n; k++) {
			uint32_t c = liked[i].first + (uint32_t)((number + k) % n);

			if (char_set_has(set, c))
				return c;
		}
	}
	return set->n ? set->ranges[0].first : ' ';
}

static void add_character(struct bytes *out, uint32_t c)
{
	char text[UTF8_MAX];

	bytes_append(out, (struct slice){text, utf8_encode(c, text)});
}

void pattern_example(const struct pattern *pattern, uint64_t (*number)(void *context),
		     void *context, struct bytes *out)
{
	enum { CHOICES = 100 }; /* then every loop is left */
	uint32_t pc = 0, choices = 0;

	for (;;) {
		const struct instruction *at = &pattern->code[pc++];

		switch (at->operation) {
		case OP_CHAR: add_character(out, at->c); break;
		case OP_SET: add_character(out, pick(at->set, number(context))); break;
		case OP_BEGIN:
		case OP_END: break;
		case OP_SPLIT: /* the second one leads on, out of the loop */
			pc = choices++ < CHOICES && number(context) & 1 ? at->x : at->y;
			break;
		case OP_JUMP: pc = at->x; break;
		case OP_MATCH: return;
		}
	}
}

#include "base/pattern.h"
#include "base/pattern_tree.h"
#include "base/utf8.h"

/* No character: the expression is at its end. */
#define END UINT32_MAX

struct parser {
	struct slice rest; /* from `c` on */
	uint32_t c;
	size_t c_len;
	size_t character; /* where `c` is, from 1 */
	int depth;
	struct arena *arena;
	struct diag *diag;
	enum err err;
};

static struct node *parse_choice(struct parser *p);

static void read_character(struct parser *p)
{
	p->c = END;
	p->c_len = utf8_decode(p->rest, &p->c);
}

static void advance(struct parser *p)
{
	p->rest.at += p->c_len;
	p->rest.len -= p->c_len;
	p->character++;
	read_character(p);
}

/* The ASCII character at this place after the current one, 0 where there is none. */
static char look_ahead(const struct parser *p, size_t bytes)
{
	return p->rest.len > bytes ? p->rest.at[bytes] : 0;
}

static struct node *fail(struct parser *p, const char *problem)
{
	if (!p->err)
		p->err = diag_set(p->diag, ERR_INVALID, "character %zu of the pattern: %s",
				  p->character, problem);
	return NULL;
}

static struct node *fail_nomem(struct parser *p)
{
	p->err = diag_set(p->diag, ERR_NOMEM, "out of memory for the pattern");
	return NULL;
}

static struct node *new_node(struct parser *p, enum node_type type)
{
	struct node *node = arena_alloc(p->arena, sizeof *node);

	if (!node)
		return fail_nomem(p);
	node->type = type;
	return node;
}

static struct node *char_node(struct parser *p, uint32_t c)
{
	struct node *node = new_node(p, NODE_CHAR);

	if (node)
		node->c = c;
	return node;
}

static struct node *set_node(struct parser *p, struct char_set set, bool negate)
{
	struct node *node = new_node(p, NODE_SET);
	struct char_set *kept = arena_alloc(p->arena, sizeof *kept);

	if (!node)
		return NULL;
	if (!kept || !char_set_finish(&set, p->arena, negate))
		return fail_nomem(p);
	*kept = set;
	node->set = kept;
	return node;
}

static struct node *kind_node(struct parser *p, char kind)
{
	struct char_set set = {0};

	if (!char_set_add_kind(&set, p->arena, kind))
		return fail_nomem(p);
	return set_node(p, set, false);
}

static bool is_among(uint32_t c, const char *characters)
{
	return c > 0 && c < 0x80 && strchr(characters, (int)c);
}

/* After the backslash: *kind is the letter of a class such as \d, or 0 and *c
 * the character that is meant. */
static bool parse_escape(struct parser *p, char *kind, uint32_t *c)
{
	*kind = 0;
	*c = p->c;
	if (is_among(p->c, "dDwWsS"))
		*kind = (char)p->c;
	else if (p->c == END)
		fail(p, "the pattern ends in a backslash; write \\\\ for the character itself");
	else if (!is_among(p->c, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"))
		fail(p, "unknown escape; there are \\d \\w \\s \\D \\W \\S and escaped "
			"punctuation such as \\.");
	if (p->err)
		return false;
	advance(p);
	return true;
}

/* One end of a range, or a class such as \d, which cannot be one. */
static bool parse_class_part(struct parser *p, char *kind, uint32_t *c)
{
	*kind = 0;
	*c = p->c;
	if (p->c == END) {
		fail(p, "the class is not closed; add ]");
		return false;
	}
	advance(p);
	return *c != '\\' || parse_escape(p, kind, c);
}

static bool parse_class_item(struct parser *p, struct char_set *set)
{
	size_t begin = p->character;
	uint32_t first, last;
	char kind;
	bool kept;

	if (!parse_class_part(p, &kind, &first))
		return false;
	last = first;
	if (p->c == '-' && look_ahead(p, 1) && look_ahead(p, 1) != ']') {
		char last_kind;

		advance(p);
		if (!parse_class_part(p, &last_kind, &last))
			return false;
		if (kind || last_kind || last < first) {
			p->character = begin;
			fail(p, "a range needs two characters in order, as a-z; write \\- for "
				"the character itself");
			return false;
		}
	}
	kept = kind ? char_set_add_kind(set, p->arena, kind)
		    : char_set_add(set, p->arena, first, last);
	if (!kept)
		fail_nomem(p);
	return kept;
}

static struct node *parse_class(struct parser *p)
{
	struct char_set set = {0};
	bool negate;

	advance(p);
	negate = p->c == '^';
	if (negate)
		advance(p);
	if (p->c == ']')
		return fail(p, "the class is empty; write \\] for the character itself");
	while (p->c != ']') {
		if (!parse_class_item(p, &set))
			return NULL;
	}
	advance(p);
	return set_node(p, set, negate);
}

static struct node *parse_group(struct parser *p)
{
	struct node *node;

	if (p->depth >= PATTERN_DEPTH_MAX)
		return fail(p, "groups are nested more than 64 deep; use fewer");
	p->depth++;
	advance(p);
	if (p->c == '?') {
		if (look_ahead(p, 1) != ':')
			return fail(p, "look-around, named groups and flags are not supported; "
				       "use (...) or (?:...)");
		advance(p);
		advance(p);
	}
	node = parse_choice(p);
	if (!node)
		return NULL;
	if (p->c != ')')
		return fail(p, "the group is not closed; add )");
	advance(p);
	p->depth--;
	return node;
}

static struct node *parse_atom(struct parser *p)
{
	uint32_t c = p->c;
	char kind;

	switch (c) {
	case '(': return parse_group(p);
	case '[': return parse_class(p);
	case '*':
	case '+':
	case '?':
	case '{':
		return fail(p,
			    "there is nothing to repeat; escape it for the character itself");
	case '}':
	case ']': return fail(p, "it closes nothing; escape it for the character itself");
	default: break;
	}
	advance(p);
	switch (c) {
	case '^': return new_node(p, NODE_BEGIN);
	case '$': return new_node(p, NODE_END);
	case '.': return kind_node(p, '.');
	case '\\':
		if (!parse_escape(p, &kind, &c))
			return NULL;
		return kind ? kind_node(p, kind) : char_node(p, c);
	default: return char_node(p, c);
	}
}

static bool parse_count(struct parser *p, uint32_t *count)
{
	if (!is_among(p->c, "0123456789")) {
		fail(p, "a count is {m}, {m,} or {m,n}; write \\{ for the character itself");
		return false;
	}
	for (*count = 0; is_among(p->c, "0123456789"); advance(p)) {
		*count = *count * 10 + (p->c - '0');
		if (*count > PATTERN_REPEAT_MAX) {
			fail(p, "a count is at most 1000");
			return false;
		}
	}
	return true;
}

static bool parse_counts(struct parser *p, uint32_t *min, uint32_t *max)
{
	advance(p);
	if (!parse_count(p, min))
		return false;
	*max = *min;
	if (p->c == ',') {
		advance(p);
		*max = REPEAT_FOREVER;
		if (p->c != '}' && !parse_count(p, max))
			return false;
	}
	if (p->c != '}')
		fail(p, "a count is {m}, {m,} or {m,n}; write \\{ for the character itself");
	else if (*max < *min)
		fail(p, "the counts are in the wrong order; write {least,most}");
	else
		advance(p);
	return !p->err;
}

/* Whether a quantifier was there; p->err says whether it was a wrong one. */
static bool parse_quantifier(struct parser *p, uint32_t *min, uint32_t *max)
{
	*min = p->c == '+';
	*max = p->c == '?' ? 1 : REPEAT_FOREVER;
	if (p->c == '{')
		return parse_counts(p, min, max);
	if (!is_among(p->c, "*+?"))
		return false;
	advance(p);
	return true;
}

static struct node *parse_repeated(struct parser *p)
{
	struct node *child = parse_atom(p);
	struct node *node;
	uint32_t min, max;

	if (!child || !parse_quantifier(p, &min, &max))
		return p->err ? NULL : child;
	if (child->type == NODE_BEGIN || child->type == NODE_END)
		return fail(p, "^ and $ cannot be repeated");
	if (is_among(p->c, "*+?{"))
		return fail(p, "lazy, possessive and double quantifiers are not supported; put "
			       "the repeated part into a group");
	node = new_node(p, NODE_REPEAT);
	if (!node)
		return NULL;
	node->min = min;
	node->max = max;
	node->child = child;
	return node;
}

static struct node *parse_sequence(struct parser *p)
{
	struct node *node = new_node(p, NODE_SEQUENCE);
	struct node **end;

	if (!node)
		return NULL;
	for (end = &node->child; p->c != END && p->c != '|' && p->c != ')';
	     end = &(*end)->next) {
		*end = parse_repeated(p);
		if (!*end)
			return NULL;
	}
	return node;
}

static struct node *parse_choice(struct parser *p)
{
	struct node *first = parse_sequence(p);
	struct node *node, *last;

	if (!first || p->c != '|')
		return first;
	node = new_node(p, NODE_CHOICE);
	if (!node)
		return NULL;
	node->child = last = first;
	while (p->c == '|') {
		advance(p);
		last->next = parse_sequence(p);
		if (!last->next)
			return NULL;
		last = last->next;
	}
	return node;
}

enum err pattern_parse(struct slice text, struct arena *arena, struct node **out,
		       struct diag *diag)
{
	struct parser p = {.rest = text, .character = 1, .arena = arena, .diag = diag};
	struct node *node;

	if (text.len > PATTERN_TEXT_MAX)
		return diag_set(diag, ERR_TOO_LARGE,
				"the pattern has %zu bytes; at most %d are allowed", text.len,
				PATTERN_TEXT_MAX);
	if (!utf8_valid(text))
		return diag_set(diag, ERR_INVALID, "the pattern is not UTF-8");
	read_character(&p);
	node = parse_choice(&p);
	if (node && p.c != END)
		fail(&p, "it closes no group; write \\) for the character itself");
	if (p.err)
		return p.err;
	*out = node;
	return OK;
}

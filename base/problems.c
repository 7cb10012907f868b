#include "base/problems.h"

#include "base/json_line.h"

#include <stdarg.h>
#include <stdio.h>

static const char *format_text(struct arena *arena, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static const char *format_text(struct arena *arena, const char *format, va_list args)
{
	static const char more[] = "...";
	char text[PROBLEM_TEXT_MAX];
	struct slice copy;
	int len = vsnprintf(text, sizeof text, format, args);

	if (len < 0)
		return NULL;
	if ((size_t)len >= sizeof text) {
		size_t end = sizeof text - sizeof more;

		/* Never cut a character in half. */
		while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
			end--;
		memcpy(text + end, more, sizeof more);
	}
	/* What it quotes may have line breaks; a problem is one line. */
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	return arena_copy(arena, slice_of(text), &copy) ? copy.at : NULL;
}

/* Room for one more; the list grows by doubling and leaves the old one behind. */
static bool grow(struct problems *problems)
{
	enum { FIRST = 8 };
	size_t n = problems->n;
	struct problem *list;

	if (n > 0 && (n < FIRST || (n & (n - 1)) != 0))
		return true;
	list = arena_array(problems->arena, n ? n * 2 : FIRST, sizeof *list);
	if (!list)
		return false;
	if (n)
		memcpy(list, problems->list, n * sizeof *list);
	problems->list = list;
	return true;
}

void problem_add(struct problems *problems, enum severity severity, struct place place,
		 const char *code, const char *format, ...)
{
	va_list args;
	const char *text;

	if (severity == SEVERITY_ERROR)
		problems->n_errors++;
	else
		problems->n_warnings++;
	if (problems->n >= PROBLEMS_MAX)
		return;
	va_start(args, format);
	text = format_text(problems->arena, format, args);
	va_end(args);
	if (!text || !grow(problems)) {
		problems->nomem = true;
		return;
	}
	problems->list[problems->n++] =
		(struct problem){problems->file, place, severity, code, text};
}

const char *severity_text(enum severity severity)
{
	return severity == SEVERITY_ERROR ? "error" : "warning";
}

void problem_json(struct bytes *out, const struct problem *problem)
{
	json_begin(out);
	json_add_text(out, "file", slice_of(problem->file));
	json_add_number(out, "line", problem->place.line);
	json_add_number(out, "column", problem->place.column);
	json_add_text(out, "severity", slice_of(severity_text(problem->severity)));
	json_add_text(out, "code", slice_of(problem->code));
	json_add_text(out, "message", slice_of(problem->text));
	json_end(out);
}

static int compare(const struct problem *a, const struct problem *b)
{
	int order = slice_compare(slice_of(a->file), slice_of(b->file));

	if (order)
		return order;
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column ? -1 : 1;
	return (a->severity > b->severity) - (a->severity < b->severity);
}

/* By insertion: it keeps the order of equals, needs no memory, and the list is
 * short and nearly in order already. */
void problems_sort(struct problems *problems)
{
	struct problem *list = problems->list;

	for (size_t i = 1; i < problems->n; i++) {
		struct problem moved = list[i];
		size_t at = i;

		for (; at > 0 && compare(&list[at - 1], &moved) > 0; at--)
			list[at] = list[at - 1];
		list[at] = moved;
	}
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many insertions, deletions, replacements and swaps of neighbours turn
 * one word into the other, whatever the case of their letters. */
static size_t distance(struct slice a, struct slice b)
{
	size_t rows[3][SUGGEST_WORD_MAX + 1];
	size_t *two_up = rows[0], *up = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *oldest = two_up;

		two_up = up;
		up = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);

			row[j] = smaller(up[j], row[j - 1]) + 1;
			row[j] = smaller(row[j], up[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b.at[j - 2]) &&
			    y == lower(a.at[i - 2]))
				row[j] = smaller(row[j], two_up[j - 2] + 1);
		}
	}
	return row[b.len];
}

/* One slip for a short word, one in three letters for a longer one; a single
 * letter says nothing about what was meant. */
static size_t slips_allowed(size_t len)
{
	if (len < 2)
		return 0;
	return len < 6 ? 1 : len / 3;
}

const char *suggest(struct slice word, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	size_t least = 0;

	if (word.len > SUGGEST_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct slice candidate = slice_of(candidates[i]);
		size_t longer = candidate.len > word.len ? candidate.len : word.len;
		size_t slips;

		if (candidate.len == 0 || candidate.len > SUGGEST_WORD_MAX)
			continue;
		slips = distance(word, candidate);
		if (slips <= slips_allowed(longer) && (!best || slips < least)) {
			best = candidates[i];
			least = slips;
		}
	}
	return best;
}

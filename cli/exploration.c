#include "cli/exploration.h"

#include "base/json_line.h"
#include "cli/canvas.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	INDENT = 2,
	LABEL_COLUMNS = 12,
	NAME_COLUMNS = 16,
	NUMBER_COLUMNS = 5,
	WIDTH_LEAST = 40,
	LINES_MAX = 100, /* of one sentence */
};

struct page {
	struct canvas canvas;
	size_t y;
};

/* A word, and beside it a text that stays in its column. */
static void add(struct page *page, size_t indent, const char *label, size_t columns,
		struct slice text, enum tone tone)
{
	size_t x = indent + columns;

	canvas_text(&page->canvas, indent, page->y, slice_of(label), tone);
	page->y += canvas_wrap(&page->canvas, x, page->y, page->canvas.width - x, LINES_MAX,
			       text, tone);
}

/* As explore_bounds_write() has them, with blanks at which a line can end. */
static void add_bounds(struct page *page, const struct explore_bounds *bounds)
{
	struct bytes text = BYTES(SIZE_MAX / 4, page->canvas.arena);
	struct bytes spaced = BYTES(SIZE_MAX / 4, page->canvas.arena);

	explore_bounds_write(&text, bounds);
	for (size_t i = 0; i < text.len; i++) {
		bytes_add(&spaced, text.at[i]);
		if (text.at[i] == ',')
			bytes_add(&spaced, ' ');
	}
	page->canvas.nomem |= text.err || spaced.err;
	add(page, INDENT, "bounds", LABEL_COLUMNS, bytes_slice(&spaced), TONE_PLAIN);
}

static void add_facts(struct page *page, const struct exploration *exploration)
{
	const struct explore_report *report = exploration->report;
	char text[128];

	snprintf(text, sizeof text,
		 "%" PRIu64 " states, %" PRIu64 " transitions, at most %" PRIu32 " moves deep",
		 report->states, report->transitions, report->depth);
	add(page, INDENT, "explored", LABEL_COLUMNS, slice_of(text), TONE_PLAIN);
	if (exploration->took_ms < 1000)
		snprintf(text, sizeof text, "%" PRId64 " ms", exploration->took_ms);
	else
		snprintf(text, sizeof text, "%.1f s", (double)exploration->took_ms / 1000);
	add(page, INDENT, "time", LABEL_COLUMNS, slice_of(text), TONE_PLAIN);
	snprintf(text, sizeof text, "%zu MiB",
		 (report->memory + 1024 * 1024 - 1) / (1024 * 1024));
	add(page, INDENT, "memory", LABEL_COLUMNS, slice_of(text), TONE_PLAIN);
	add_bounds(page, &report->bounds);
	add(page, INDENT, "invariants", 0, (struct slice){0}, TONE_PLAIN);
	for (size_t i = 0; i < explore_n_invariants; i++)
		add(page, 2 * INDENT, explore_invariants[i].name, NAME_COLUMNS,
		    slice_of(explore_invariants[i].sentence), TONE_PLAIN);
}

static void add_violation(struct page *page, const struct explore_report *report)
{
	char number[24];

	if (report->end != EXPLORE_VIOLATION) {
		add(page, INDENT, "result", LABEL_COLUMNS,
		    SLICE_LITERAL("no violation in what was explored"), TONE_PLAIN);
		return;
	}
	add(page, INDENT, "result", LABEL_COLUMNS, SLICE_LITERAL("a violation"), TONE_PLAIN);
	add(page, 2 * INDENT, report->invariant->name, NAME_COLUMNS, slice_of(report->what),
	    TONE_PLAIN);
	add(page, INDENT, "the shortest way there", 0, (struct slice){0}, TONE_PLAIN);
	for (size_t i = 0; i < report->n_lines; i++) {
		snprintf(number, sizeof number, "%3zu", i + 1);
		add(page, 2 * INDENT, number, NUMBER_COLUMNS, slice_of(report->lines[i]),
		    TONE_PLAIN);
	}
}

enum err exploration_text(const struct exploration *exploration, struct bytes *out)
{
	struct arena arena = {0};
	struct page page = {
		.canvas = {.arena = &arena,
			   .width = exploration->width > WIDTH_LEAST ? exploration->width
								     : WIDTH_LEAST},
	};

	bytes_text(out, exploration->path);
	bytes_text(out, ": ");
	bytes_text(out, explore_end_text(exploration->report->end));
	bytes_add(out, '\n');
	add_facts(&page, exploration);
	add_violation(&page, exploration->report);
	canvas_write(&page.canvas, false, out);
	arena_release(&arena);
	return out->err;
}

static void write_violation(const struct explore_report *report, struct bytes *out)
{
	if (report->end != EXPLORE_VIOLATION) {
		json_add_null(out, "violation");
		return;
	}
	json_add_name(out, "violation");
	json_begin(out);
	json_add_text(out, "invariant", slice_of(report->invariant->name));
	json_add_text(out, "what", slice_of(report->what));
	json_add_name(out, "transcript");
	json_begin_list(out);
	for (size_t i = 0; i < report->n_lines; i++)
		json_add_value(out, slice_of(report->lines[i]));
	json_end_list(out);
	json_end(out);
}

enum err exploration_json(const struct exploration *exploration, struct bytes *out)
{
	const struct explore_report *report = exploration->report;
	struct bytes bounds = BYTES(SIZE_MAX / 4, NULL);
	char hash[SHA256_HEX_SIZE];

	explore_bounds_write(&bounds, &report->bounds);
	sha256_hex(exploration->definition->hash, hash);
	json_begin(out);
	json_add_text(out, "file", slice_of(exploration->path));
	json_add_text(out, "saga", exploration->definition->name);
	json_add_text(out, "version", exploration->definition->version);
	json_add_text(out, "hash", slice_of(hash));
	json_add_text(out, "end", slice_of(explore_end_text(report->end)));
	json_add_bool(out, "whole", report->end == EXPLORE_WHOLE);
	json_add_number(out, "states", (int64_t)report->states);
	json_add_number(out, "transitions", (int64_t)report->transitions);
	json_add_number(out, "depth", report->depth);
	json_add_number(out, "memory_bytes", (int64_t)report->memory);
	json_add_number(out, "took_ms", exploration->took_ms);
	json_add_text(out, "bounds", bytes_slice(&bounds));
	json_add_name(out, "invariants");
	json_begin_list(out);
	for (size_t i = 0; i < explore_n_invariants; i++)
		json_add_value(out, slice_of(explore_invariants[i].name));
	json_end_list(out);
	write_violation(report, out);
	json_end_line(out);
	if (bounds.err && !out->err)
		out->err = bounds.err;
	bytes_release(&bounds);
	return out->err;
}

enum exit_code exploration_code(const struct explore_report *report)
{
	return report->end == EXPLORE_VIOLATION ? EXIT_FAILED : EXIT_DONE;
}

/* problems.h - every mistake in a file, each with its place.
 *
 * A checker goes on after a mistake and reports them all at the end. Each
 * problem is one sentence: what is wrong; what to do.
 */
#ifndef SKALD_BASE_PROBLEMS_H
#define SKALD_BASE_PROBLEMS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

/* Lines and columns count from 1; columns count characters, not bytes. A line
 * of 0 is the file as a whole. */
struct place {
	uint32_t line;
	uint32_t column;
};

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct problem {
	const char *file;
	struct place place;
	enum severity severity;
	const char *code; /* a fixed word such as "unknown-key": scripts rely on it */
	const char *text;
};

/* More mistakes than this are only counted. */
enum { PROBLEMS_MAX = 200 };

/* Longest text, its terminator included; a longer one ends in "...". It is one line:
 * each control character in it is a question mark. */
enum { PROBLEM_TEXT_MAX = 1024 };

struct problems {
	struct arena *arena; /* texts and list live here */
	const char *file;    /* of the problems added from now on; borrowed */
	struct problem *list;
	size_t n;
	size_t n_errors;   /* all of them, listed or not */
	size_t n_warnings; /* likewise */
	bool nomem;        /* one could not be kept: the check as a whole failed */
};

void problem_add(struct problems *problems, enum severity severity, struct place place,
		 const char *code, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

const char *severity_text(enum severity severity);

/* As a JSON object: {"file":...,"line":...,"column":...,"severity":...,"code":...,
 * "message":...}. */
void problem_json(struct bytes *out, const struct problem *problem);

/* By file, then place, errors before warnings of the same place. */
void problems_sort(struct problems *problems);

/* Of the candidates the one most like `word`, if it is like enough to be what
 * the writer meant; NULL otherwise. Candidates may hold NULLs. */
enum { SUGGEST_WORD_MAX = 64 }; /* longer words are like nothing */
const char *suggest(struct slice word, const char *const *candidates, size_t n);

#endif

/* codes.h - every kind of mistake that loading a definition can report.
 *
 * The words are fixed: scripts rely on them, and tests/golden/bad has an example
 * of each. Mistakes inside expressions come from orchestrator/core; their words
 * are listed here, too, so that one list is complete.
 */
#ifndef SKALD_LOAD_CODES_H
#define SKALD_LOAD_CODES_H

#include "base/problems.h"

/* name, word, severity */
#define CODE_MAP(X)                                                      \
	/* the file as such */                                           \
	X(FILE_NOT_FOUND, "file-not-found", ERROR)                       \
	X(FILE_UNREADABLE, "file-unreadable", ERROR)                     \
	X(TOO_LARGE, "too-large", ERROR)                                 \
	X(NOT_UTF8, "not-utf8", ERROR)                                   \
	X(CONTROL_CHARACTER, "control-character", ERROR)                 \
	X(YAML_SYNTAX, "yaml-syntax", ERROR)                             \
	X(UNQUOTED_EXPRESSION, "unquoted-expression", ERROR)             \
	X(JSON_SYNTAX, "json-syntax", ERROR)                             \
	X(EMPTY_DOCUMENT, "empty-document", ERROR)                       \
	X(SEVERAL_DOCUMENTS, "several-documents", ERROR)                 \
	X(TOO_DEEP, "too-deep", ERROR)                                   \
	X(TOO_MANY_VALUES, "too-many-values", ERROR)                     \
	X(YAML_ALIAS, "yaml-alias", ERROR)                               \
	X(YAML_ANCHOR, "yaml-anchor", ERROR)                             \
	X(YAML_TAG, "yaml-tag", ERROR)                                   \
	X(YAML_MERGE_KEY, "yaml-merge-key", ERROR)                       \
	X(NON_TEXT_KEY, "non-text-key", ERROR)                           \
	X(LONG_KEY, "long-key", ERROR)                                   \
	X(DUPLICATE_KEY, "duplicate-key", ERROR)                         \
	/* values */                                                     \
	X(AMBIGUOUS_SCALAR, "ambiguous-scalar", ERROR)                   \
	X(WRONG_TYPE, "wrong-type", ERROR)                               \
	X(BAD_VALUE, "bad-value", ERROR)                                 \
	X(BAD_NAME, "bad-name", ERROR)                                   \
	X(BAD_VERSION, "bad-version", ERROR)                             \
	X(BAD_DURATION, "bad-duration", ERROR)                           \
	X(BAD_NUMBER, "bad-number", ERROR)                               \
	X(BAD_CALL, "bad-call", ERROR)                                   \
	X(BAD_CHILD, "bad-child", ERROR)                                 \
	X(PAYLOAD_TOO_LARGE, "payload-too-large", ERROR)                 \
	/* keys */                                                       \
	X(UNKNOWN_KEY, "unknown-key", ERROR)                             \
	X(MISSING_KEY, "missing-key", ERROR)                             \
	/* the top level */                                              \
	X(BAD_KEY, "bad-key", ERROR)                                     \
	X(BAD_MASK, "bad-mask", ERROR)                                   \
	X(TOO_MANY_RETRIES, "too-many-retries", ERROR)                   \
	X(UNKNOWN_RETRY, "unknown-retry", ERROR)                         \
	X(UNUSED_RETRY, "unused-retry", WARNING)                         \
	X(SCHEMA_KEYWORD, "schema-keyword", ERROR)                       \
	X(BAD_SCHEMA, "bad-schema", ERROR)                               \
	/* steps */                                                      \
	X(NO_STEPS, "no-steps", ERROR)                                   \
	X(NO_BRANCHES, "no-branches", ERROR)                             \
	X(TOO_MANY_STEPS, "too-many-steps", ERROR)                       \
	X(NESTED_TOO_DEEP, "nested-too-deep", ERROR)                     \
	X(BAD_STEP, "bad-step", ERROR)                                   \
	X(DUPLICATE_STEP, "duplicate-step", ERROR)                       \
	X(MISSING_FORM, "missing-form", ERROR)                           \
	X(TWO_FORMS, "two-forms", ERROR)                                 \
	X(EACH_IN_EACH, "each-in-each", ERROR)                           \
	X(TOO_MANY_INSTANCES, "too-many-instances", ERROR)               \
	X(CHILD_CYCLE, "child-cycle", ERROR)                             \
	X(UNREACHABLE_STEP, "unreachable-step", ERROR)                   \
	X(AWAIT_WITHOUT_TIMEOUT, "await-without-timeout", WARNING)       \
	X(UNUSED_THEN, "unused-then", WARNING)                           \
	/* kinds */                                                      \
	X(MISSING_KIND, "missing-kind", ERROR)                           \
	X(MISSING_UNDO, "missing-undo", ERROR)                           \
	X(UNDO_ON_PIVOT, "undo-on-pivot", ERROR)                         \
	X(UNDO_ON_READONLY, "undo-on-readonly", ERROR)                   \
	X(UNDO_AFTER_PIVOT, "undo-after-pivot", ERROR)                   \
	X(SECOND_PIVOT, "second-pivot", ERROR)                           \
	X(PIVOT_IN_PARALLEL, "pivot-in-parallel", ERROR)                 \
	X(COMPENSATABLE_AFTER_PIVOT, "compensatable-after-pivot", ERROR) \
	X(RETRIABLE_BEFORE_PIVOT, "retriable-before-pivot", ERROR)       \
	X(COMPENSATE_AFTER_PIVOT, "compensate-after-pivot", ERROR)       \
	X(IGNORE_ON_PIVOT, "ignore-on-pivot", ERROR)                     \
	X(PARK_BEFORE_PIVOT, "park-before-pivot", ERROR)

enum code {
#define X(name, word, severity) CODE_##name,
	CODE_MAP(X)
#undef X
		N_CODES
};

const char *code_text(enum code code);
enum severity code_severity(enum code code);

/* The words of orchestrator/core/expression.h, ended by NULL. */
extern const char *const expression_codes[];

/* Add a problem: one sentence, what is wrong; what to do. */
void report(struct problems *problems, struct place place, enum code code, const char *format,
	    ...) __attribute__((format(printf, 4, 5)));

/* A piece of somebody's file as it can stand in a message: on one line, and cut
 * where it is long. Returns the text: report(..., shown(name, &(struct shown){""})). */
struct shown {
	char text[64];
};
const char *shown(struct slice text, struct shown *room);

#endif

/* scalar.h - what a YAML scalar stands for.
 *
 * A plain scalar is a number only where it is exactly a JSON number, and true,
 * false, null, ~ and nothing are themselves; yes, no, on and off are texts. What
 * readers of YAML 1.1 or 1.2 would take for something else (0x1F, .5, 1_000, 012,
 * 12:30, True) is ambiguous and has to be written in another way.
 */
#ifndef SKALD_LOAD_SCALAR_H
#define SKALD_LOAD_SCALAR_H

#include "orchestrator/load/yaml_tree.h"

enum scalar {
	SCALAR_NULL,
	SCALAR_BOOL,
	SCALAR_NUMBER,
	SCALAR_TEXT,
	SCALAR_EXPRESSION, /* a text that begins with = */
	SCALAR_AMBIGUOUS,
};

enum scalar scalar_type(const struct yaml_node *scalar);

/* "a number", "an expression", "a list": for messages about any node. */
const char *node_text(const struct yaml_node *node);

/* Whether the text can stand without quotes in block style and is then still this
 * text to every reader of YAML. */
bool scalar_plain(struct slice text);

/* Whether the text is major.minor.patch with what SemVer 2.0 allows behind it. */
bool version_valid(struct slice text);

#endif

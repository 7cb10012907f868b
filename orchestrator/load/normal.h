/* normal.h - the normal form of a definition: every default written out.
 *
 * One form for all spellings of the same saga: fixed order of keys, block
 * style, schema inlined, expressions in their own normal form. Loading it
 * again gives the same normal form, and its SHA-256 is the definition's hash.
 */
#ifndef SKALD_LOAD_NORMAL_H
#define SKALD_LOAD_NORMAL_H

#include "base/bytes.h"
#include "orchestrator/core/definition.h"

void normal_write(struct bytes *out, const struct definition *definition);

#endif

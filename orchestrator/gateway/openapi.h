/* openapi.h - docs/openapi.json, which the build puts into the program; private to
 * the gateway. */
#ifndef SKALD_GATEWAY_OPENAPI_H
#define SKALD_GATEWAY_OPENAPI_H

#include <stddef.h>

extern const char openapi_json[];
extern const size_t openapi_json_size;

#endif

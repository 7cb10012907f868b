/* sha256.h - SHA-256 (FIPS 180-4), the name of a definition's content. */
#ifndef SKALD_BASE_SHA256_H
#define SKALD_BASE_SHA256_H

#include "base/slice.h"

#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_HEX_SIZE = 65 };

void sha256(struct slice bytes, uint8_t out[SHA256_SIZE]);

/* Lower-case digits and a terminator. */
void sha256_hex(const uint8_t hash[SHA256_SIZE], char out[SHA256_HEX_SIZE]);

/* Such digits, without a terminator. False: they are none. */
bool sha256_parse(struct slice hex, uint8_t out[SHA256_SIZE]);

#endif

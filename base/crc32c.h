/* crc32c.h - CRC-32C (Castagnoli, as in RFC 3720): whether bytes are damaged.
 *
 * It finds every change within 32 neighbouring bits, and any other with a
 * chance of all but one in four thousand million. It is no protection against
 * somebody who changes the bytes on purpose.
 */
#ifndef SKALD_BASE_CRC32C_H
#define SKALD_BASE_CRC32C_H

#include "base/slice.h"

#include <stdint.h>

uint32_t crc32c(struct slice bytes);

#endif

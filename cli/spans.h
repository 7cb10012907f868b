/* spans.h - times as people like to read them. */
#ifndef SKALD_CLI_SPANS_H
#define SKALD_CLI_SPANS_H

#include <stddef.h>
#include <stdint.h>

enum { SPAN_TEXT_SIZE = 24 };

/* As precise as it is short: "850ms", "4.2s", "3m12s", "5h07m", "12d". What is
 * negative counts as none. */
void span_format(int64_t ms, char text[SPAN_TEXT_SIZE]);

/* "2025-03-01 09:30:00Z" */
enum { TIME_TEXT_SIZE = 24 };
void time_format(int64_t unix_ms, char text[TIME_TEXT_SIZE]);

#endif

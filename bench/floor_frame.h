/* floor_frame.h - what the three processes of the floor say to one another.
 *
 * A command and its reply are one struct of 224 bytes each, copied as it is: the
 * processes are one program on one machine. The reply is the command with its
 * outcome, so that a service keeps nothing in memory between the two.
 */
#ifndef SKALD_BENCH_FLOOR_FRAME_H
#define SKALD_BENCH_FLOOR_FRAME_H

#include <stdint.h>

enum floor_step { FLOOR_RESERVE, FLOOR_CHARGE, FLOOR_CONFIRM };
enum floor_verb { FLOOR_DO, FLOOR_UNDO };
enum floor_outcome { FLOOR_NO_ANSWER, FLOOR_OK, FLOOR_REFUSED };

enum { FLOOR_PAYLOAD_BYTES = 192, FLOOR_ANSWER_BYTES = 32 };

/* What one customer wants: what a start would carry. */
struct floor_order {
	uint32_t quantity;
	uint32_t amount_cents;
	uint32_t decline; /* 1: the payment is to be refused */
	uint32_t unused;
};

struct floor_frame {
	uint64_t saga;
	uint32_t slot; /* where the orchestrator keeps the saga; comes back as it was */
	uint8_t step;
	uint8_t verb;
	uint8_t outcome;
	uint8_t unused;
	struct floor_order order;
	char payload[FLOOR_PAYLOAD_BYTES]; /* as long as arguments in JSON would be */
};

_Static_assert(sizeof(struct floor_frame) == 224, "the floor is measured with 224 bytes");

/* The order of a saga: the same in every process and in every run, so that the
 * books can be held to it at the end. */
struct floor_order floor_order_of(uint64_t saga, uint32_t decline_percent);

#endif

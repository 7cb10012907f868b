/* inquiries.h - what was asked of participants, until it is answered.
 *
 * Whoever asks knows an inquiry by its number; the hub knows which connection has to
 * answer it. An answer that nobody waits for is dropped.
 */
#ifndef SKALD_BUS_INQUIRIES_H
#define SKALD_BUS_INQUIRIES_H

#include "bus/bus.h"

enum {
	INQUIRIES_MAX = 64,           /* that are not answered */
	INQUIRIES_OF_PROCESS_MAX = 8, /* of one connection */
};

struct inquiry_slot {
	uint64_t request;    /* 0: the slot is free */
	uint32_t connection; /* that has to answer */
};

struct inquiry_answer;

struct inquiries {
	struct inquiry_slot slots[INQUIRIES_MAX];
	uint64_t last_request;
	struct inquiry_answer *answers, **answers_end;
	struct inquiry_answer *current; /* the one that was polled last */
};

void inquiries_init(struct inquiries *inquiries);
void inquiries_release(struct inquiries *inquiries);

/* A number for a new one; 0: there are as many as there may be. */
uint64_t inquiries_add(struct inquiries *inquiries, uint32_t connection);
void inquiries_forget(struct inquiries *inquiries, uint64_t request);

/* An answer came from that connection; it is copied. ERR_NOMEM. */
CHECKED enum err inquiries_answered(struct inquiries *inquiries, uint32_t connection,
				    const struct records_message *records);

/* The connection is gone, and all that it was asked is lost. */
void inquiries_lost(struct inquiries *inquiries, uint32_t connection);

bool inquiries_poll(struct inquiries *inquiries, struct inquired *out);

#endif

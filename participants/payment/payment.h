/* payment.h - what the two ways to keep charges have in common. */
#ifndef SKALD_PARTICIPANTS_PAYMENT_H
#define SKALD_PARTICIPANTS_PAYMENT_H

#include "participants/service/service.h"

#define PAYMENT_DECLINED "card_declined"
#define PAYMENT_CHARGE_HELP                                                                    \
	"{amount, card?, decline?} -> {receipt}; refused with card_declined where decline is " \
	"true"

/* How much a charge asks for. Other than SKALD_OK: it has been answered with that. */
skald_outcome payment_read_charge(const skald_command *command, skald_reply *reply,
				  int64_t *cents);

/* charges_mongo.c */
extern const struct service_store payment_mongo;

/* First thing: libmongoc has given its counters a name in /dev/shm by now, which stays
 * when the process is killed. */
void payment_hide_counters(void);

#endif

/* inquirer.h - what the orchestrator asks of participants over Kafka, and their answers.
 *
 * An inquiry goes to PREFIX.inquiry.PARTICIPANT, whose partitions the processes of the
 * participant share, each time to another one; the answer comes to PREFIX.records. So
 * neither waits behind commands or replies, nor holds them up. An answer that nobody waits
 * for is dropped, and an inquiry that does not arrive in INQUIRER_KEPT_MS is, too. Nothing
 * of this is open before something is asked.
 */
#ifndef SKALD_BUS_KAFKA_INQUIRER_H
#define SKALD_BUS_KAFKA_INQUIRER_H

#include "bus/inquiries.h"
#include "bus/kafka/topics.h"

enum {
	INQUIRER_RESPONDENTS_MAX = 1000, /* participants */
	INQUIRER_KEPT_MS = 3000,
	INQUIRER_GROUPS_MS = 1000, /* what the brokers say of groups is good for so long */
	INQUIRER_SILENT_MS = 3000, /* brokers that have not said so far do not say */
	INQUIRER_OLD_MS = 8000,    /* one that takes commands and no inquiries so long is old */
};

struct respondent;

struct inquirer {
	const struct kafka_setup *setup;
	const struct kafka_client *brokers; /* for whatever is not an inquiry */
	bool blind;
	int wake_fd;
	struct kafka_client producer, consumer;
	struct wanted_topic records;
	rd_kafka_queue_t *events; /* what the brokers say of groups */
	bool listening;           /* an answer would be heard */
	struct respondent *respondents;
	size_t n_respondents;
	struct inquiries inquiries;
	struct arena arena;
	struct bytes bytes;
};

/* All is borrowed; the setup is checked. `blind`: see struct bus_kafka_setup. */
void inquirer_init(struct inquirer *inquirer, const struct kafka_setup *setup,
		   const struct kafka_client *brokers, bool blind, int wake_fd);

/* Never initialised is fine, too. */
void inquirer_close(struct inquirer *inquirer);

/* See bus_inquire, bus_inquired, bus_forget. */
CHECKED enum err inquirer_ask(struct inquirer *inquirer, struct slice participant,
			      struct inquiry_message *inquiry, struct diag *diag);
bool inquirer_poll(struct inquirer *inquirer, struct inquired *out);
void inquirer_forget(struct inquirer *inquirer, uint64_t request);

void inquirer_pump(struct inquirer *inquirer);

#endif

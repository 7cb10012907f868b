/* connect.c - why no broker answers, in words that say what to do about it. */
#include "bus/kafka/kafka.h"

#include <stdio.h>
#include <stdlib.h>

/* What is refused for so long is refused for good; a broker that has said nothing for so
 * long, though it was asked, is as good as away; and one that we had lost is back when it
 * has kept a connection for so long, as some close it only when they are asked something. */
enum { REFUSED_MS = 5000, LOOK_MS = 200, SILENT_MS = 5000, STEADY_MS = 700 };

/* Of several that fit the first one counts. */
static const struct advice {
	rd_kafka_resp_err_t error;
	const char *says; /* a part of librdkafka's reason; "": any */
	bool refused;     /* it will not be otherwise soon */
	const char *text;
} advices[] = {
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, "Unsupported SASL mechanism", true,
	 "set kafka.sasl.mechanism to one of those"},
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, "current SASL state", true,
	 "this port asks for no password: set kafka.security.protocol to plaintext or ssl, or "
	 "connect to another port"},
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, "", true,
	 "check kafka.sasl.username and kafka.sasl.password, and that the brokers know this "
	 "user for the kafka.sasl.mechanism that is set"},
	{RD_KAFKA_RESP_ERR__SSL, "certificate verify failed", true,
	 "set kafka.ssl.ca.location to the file of the authority that signed the brokers' "
	 "certificate, and connect by a name that this certificate holds"},
	{RD_KAFKA_RESP_ERR__SSL, "", true,
	 "perhaps this port speaks no TLS: check kafka.security.protocol and the port"},
	{RD_KAFKA_RESP_ERR__TRANSPORT, "SSL listener", true,
	 "perhaps this port wants TLS: set kafka.security.protocol to ssl or sasl_ssl"},
	{RD_KAFKA_RESP_ERR__TRANSPORT, "require SASL", true,
	 "perhaps this port wants a password: set kafka.security.protocol to sasl_ssl, and "
	 "kafka.sasl.mechanism, kafka.sasl.username and kafka.sasl.password"},
	{RD_KAFKA_RESP_ERR__TRANSPORT, "", false,
	 "see whether the brokers run, and whether their HOST:PORT is right"},
	{RD_KAFKA_RESP_ERR__RESOLVE, "", false, "see whether the brokers' HOST:PORT is right"},
};

static const struct advice *find_advice(int error, const char *reason)
{
	for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
		if ((int)advices[i].error == error && strstr(reason, advices[i].says))
			return &advices[i];
	return NULL;
}

/* Without the time that it took, so that the same reason has the same words. */
void kafka_client_note(struct kafka_client *client, int error, const char *reason)
{
	const struct advice *advice = find_advice(error, reason);
	const char *end = strstr(reason, " (after ");
	int len = end ? (int)(end - reason) : (int)strlen(reason);

	if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		return;
	snprintf(client->trouble, sizeof client->trouble, "%.*s%s%s", len < 300 ? len : 300,
		 reason, advice ? "; " : "", advice ? advice->text : "");
	client->refused = advice && advice->refused;
}

enum err kafka_client_connect(struct kafka_client *client, const struct kafka_setup *setup,
			      int timeout_ms, struct diag *diag)
{
	const struct rd_kafka_metadata *metadata;
	int64_t begin_ms = clock_monotonic_ms(setup->clock), passed_ms = 0;
	char refusal[DIAG_MAX] = "";
	const char *why;

	while (rd_kafka_metadata(client->rk, 0, NULL, &metadata, LOOK_MS)) {
		kafka_client_serve(client);
		/* librdkafka says it once, and not again for long. */
		if (client->refused && client->trouble[0])
			memcpy(refusal, client->trouble, sizeof refusal);
		passed_ms = clock_monotonic_ms(setup->clock) - begin_ms;
		if (passed_ms < timeout_ms && (!refusal[0] || passed_ms < REFUSED_MS))
			continue;
		why = refusal[0] ? refusal : client->trouble;
		return diag_set(diag, ERR_UNAVAILABLE, "kafka:%.100s: %s", setup->brokers,
				why[0] ? why : "no broker answers");
	}
	rd_kafka_metadata_destroy(metadata);
	return OK;
}

/* --- what statistics say ------------------------------------------------------------ */

static long long number_behind(const char *json, const char *name)
{
	const char *at = strstr(json, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* Each broker has its state, and then what it was asked and when it last said something. */
bool kafka_client_hears(struct kafka_client *client, const char *statistics)
{
	static const char up[] = "\"state\":\"UP\"";
	bool silent = false;

	for (const char *at = statistics; (at = strstr(at, up)); at++) {
		if (!client->reachable &&
		    number_behind(at, "\"stateage\":") < STEADY_MS * 1000LL)
			continue;
		if (!number_behind(at, "\"waitresp_cnt\":") ||
		    number_behind(at, "\"rxidle\":") < SILENT_MS * 1000LL)
			return true;
		silent = true;
	}
	if (silent)
		snprintf(
			client->trouble, sizeof client->trouble,
			"the brokers are there and have answered nothing for %d s; see whether "
			"they are overloaded or held",
			SILENT_MS / 1000);
	return false;
}

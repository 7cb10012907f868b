/* test_bus_kafka_trouble.c - what librdkafka says of brokers that cannot be reached, in words
 * that say what to do, and whether its statistics mean that one answers */
#include "bus/kafka/kafka.h"
#include "tests/lib/suite.h"

#include <stdio.h>

/* --- why ------------------------------------------------------------------------------ */

static const struct note_row {
	const char *name;
	rd_kafka_resp_err_t error;
	const char *reason, *trouble;
	bool refused;
} note_rows[] = {
	{"a mechanism that the brokers do not have", RD_KAFKA_RESP_ERR__AUTHENTICATION,
	 "h:1/1: SASL handshake failed: Unsupported SASL mechanism: brokers know PLAIN",
	 "h:1/1: SASL handshake failed: Unsupported SASL mechanism: brokers know PLAIN; set "
	 "kafka.sasl.mechanism to one of those",
	 true},
	{"a password where none is asked for", RD_KAFKA_RESP_ERR__AUTHENTICATION,
	 "not valid in the current SASL state",
	 "not valid in the current SASL state; this port asks for no password: set "
	 "kafka.security.protocol to plaintext or ssl, or connect to another port",
	 true},
	{"a password that is wrong", RD_KAFKA_RESP_ERR__AUTHENTICATION,
	 "Authentication failed (after 17ms in state AUTH_REQ)",
	 "Authentication failed; check kafka.sasl.username and kafka.sasl.password, and that "
	 "the brokers know this user for the kafka.sasl.mechanism that is set",
	 true},
	{"a certificate that nobody trusts", RD_KAFKA_RESP_ERR__SSL,
	 "SSL handshake failed: certificate verify failed",
	 "SSL handshake failed: certificate verify failed; set kafka.ssl.ca.location to the "
	 "file of the authority that signed the brokers' certificate, and connect by a name "
	 "that this certificate holds",
	 true},
	{"TLS where there is none", RD_KAFKA_RESP_ERR__SSL, "wrong version number",
	 "wrong version number; perhaps this port speaks no TLS: check kafka.security.protocol "
	 "and the port",
	 true},
	{"no TLS where it is wanted", RD_KAFKA_RESP_ERR__TRANSPORT,
	 "Disconnected: connecting to a SSL listener?",
	 "Disconnected: connecting to a SSL listener?; perhaps this port wants TLS: set "
	 "kafka.security.protocol to ssl or sasl_ssl",
	 true},
	{"no password where one is wanted", RD_KAFKA_RESP_ERR__TRANSPORT,
	 "verify that brokers do not require SASL",
	 "verify that brokers do not require SASL; perhaps this port wants a password: set "
	 "kafka.security.protocol to sasl_ssl, and kafka.sasl.mechanism, kafka.sasl.username "
	 "and kafka.sasl.password",
	 true},
	{"nobody is there", RD_KAFKA_RESP_ERR__TRANSPORT,
	 "Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
	 "Connect to ipv4#127.0.0.1:1 failed: Connection refused; see whether the brokers run, "
	 "and whether their HOST:PORT is right",
	 false},
	{"a name that there is not", RD_KAFKA_RESP_ERR__RESOLVE, "Failed to resolve 'h:1'",
	 "Failed to resolve 'h:1'; see whether the brokers' HOST:PORT is right", false},
	{"what nobody knows anything about", RD_KAFKA_RESP_ERR__BAD_MSG, "odd", "odd", false},
	{"that all are down says nothing new", RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
	 "1/1 brokers are down", "before", true},
};

START_TEST(test_a_reason_has_advice)
{
	const struct note_row *row = &note_rows[_i];
	struct kafka_client client = {.trouble = "before", .refused = true};

	kafka_client_note(&client, row->error, row->reason);
	ck_assert_msg(strcmp(client.trouble, row->trouble) == 0, "%s: %s", row->name,
		      client.trouble);
	ck_assert_msg(client.refused == row->refused, "%s", row->name);
}
END_TEST

START_TEST(test_a_long_reason_leaves_room_for_advice)
{
	struct kafka_client client = {.reachable = true};
	char reason[1000];

	memset(reason, 'x', sizeof reason - 1);
	reason[sizeof reason - 1] = '\0';
	kafka_client_note(&client, RD_KAFKA_RESP_ERR__TRANSPORT, reason);
	ck_assert_uint_eq(strspn(client.trouble, "x"), 300);
	ck_assert_ptr_nonnull(strstr(client.trouble, "x; see whether the brokers run"));
}
END_TEST

/* --- whether one answers ---------------------------------------------------------------- */

#define BROKER(state, age_us, waits, idle_us)                               \
	"{\"name\":\"h:1/1\",\"state\":\"" state "\",\"stateage\":" #age_us \
	",\"outbuf_cnt\":0,\"waitresp_cnt\":" #waits                        \
	",\"tx\":3,\"txidle\":1,\"rxidle\":" #idle_us "}"

static const struct hear_row {
	const char *name, *brokers;
	bool reachable, hears; /* before, after */
	bool silent;           /* that is what is wrong */
} hear_rows[] = {
	{"no broker at all", "", true, false, false},
	{"one that is down", BROKER("DOWN", 9000000, 0, 0), true, false, false},
	{"one that is being connected to", BROKER("CONNECT", 9000000, 0, 0), true, false,
	 false},
	{"one that has nothing to answer", BROKER("UP", 9000000, 0, 60000000), true, true,
	 false},
	{"one that has been asked just now", BROKER("UP", 9000000, 3, 4999999), true, true,
	 false},
	{"one that was asked, and says nothing", BROKER("UP", 9000000, 1, 5000000), true, false,
	 true},
	{"of two, one that says nothing",
	 BROKER("UP", 9000000, 1, 5000000) "," BROKER("UP", 9000000, 1, 10), true, true, false},
	{"of two, one that is down",
	 BROKER("UP", 9000000, 1, 5000000) "," BROKER("DOWN", 9000000, 0, 10), true, false,
	 true},
	{"one that has come back this moment", BROKER("UP", 699999, 0, 0), false, false, false},
	{"one that has come back to stay", BROKER("UP", 700000, 0, 0), false, true, false},
	{"one that was never away, and is new", BROKER("UP", 10, 0, 0), true, true, false},
	{"of two, one that has come back to stay",
	 BROKER("UP", 10, 0, 0) "," BROKER("UP", 700000, 0, 0), false, true, false},
};

START_TEST(test_statistics_say_whether_a_broker_answers)
{
	const struct hear_row *row = &hear_rows[_i];
	struct kafka_client client = {.reachable = row->reachable, .trouble = "before"};
	char json[1024];

	snprintf(json, sizeof json, "{\"name\":\"skald#producer-1\",\"brokers\":{%s}}",
		 row->brokers);
	ck_assert_msg(kafka_client_hears(&client, json) == row->hears, "%s", row->name);
	ck_assert_msg(strcmp(client.trouble,
			     row->silent ? "the brokers are there and have answered nothing "
					   "for 5 s; see whether they are overloaded or held"
					 : "before") == 0,
		      "%s: %s", row->name, client.trouble);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_a_reason_has_advice, 0, ROWS(note_rows));
	tcase_add_test(tcase, test_a_long_reason_leaves_room_for_advice);
	tcase_add_loop_test(tcase, test_statistics_say_whether_a_broker_answers, 0,
			    ROWS(hear_rows));
}

int main(void)
{
	return suite_run("bus_kafka_trouble", add);
}

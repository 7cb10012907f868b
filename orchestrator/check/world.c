#include "orchestrator/check/world.h"

#define NONE    RECORD_BIT(RECORD_NONE)
#define DID     RECORD_BIT(RECORD_OK)
#define REFUSED RECORD_BIT(RECORD_REFUSED)
#define BARRED  RECORD_BIT(RECORD_BARRED)
#define UNDONE  RECORD_BIT(RECORD_UNDONE)
#define TWICE   RECORD_BIT(RECORD_TWICE)

/* --- the barrier ----------------------------------------------------------------- */

/* What else the barrier's record can be once a command was sent. It stays what
 * it is where the command is lost or its handler fails. */
static const record_set after_do[RECORDS] = {[RECORD_NONE] = DID | REFUSED};
static const record_set after_undo[RECORDS] = {[RECORD_NONE] = BARRED, [RECORD_OK] = UNDONE};
static const record_set after_revoke[RECORDS] = {[RECORD_NONE] = BARRED};

/* The records with which an answer can be under way. An ok of a do can be late,
 * and a do that is repeated after its undo is refused. */
static record_set records_behind(enum verb verb, enum outcome outcome)
{
	bool ok = outcome == OUTCOME_OK;

	switch (verb) {
	case VERB_DO: return ok ? DID | UNDONE | TWICE : REFUSED | BARRED | UNDONE;
	case VERB_UNDO: return ok ? REFUSED | BARRED | UNDONE : DID | UNDONE | TWICE;
	case VERB_REVOKE: break;
	}
	return ok ? REFUSED | BARRED : DID | UNDONE | TWICE;
}

/* --- the network ----------------------------------------------------------------- */

static bool has(uint8_t rounds, uint32_t round)
{
	return rounds >> round & 1;
}

static record_set arrive(record_set records, const record_set after[RECORDS])
{
	record_set all = records;

	for (uint32_t record = 0; record < RECORDS; record++)
		if (records & RECORD_BIT(record))
			all |= after[record];
	return all;
}

/* Whatever was sent arrives or not, any number of times and in any order, until
 * nothing new comes of it. Past the horizon nothing does. */
static void let_arrive(struct books *books)
{
	record_set before;

	if (books->flags & BOOKS_OLD)
		return;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		record_set *records = &books->records[round];

		do {
			before = *records;
			if (has(books->sent_do, round))
				*records = arrive(*records, after_do);
			if (has(books->sent_revoke, round))
				*records = arrive(*records, after_revoke);
			for (uint32_t undo = 0; undo < ROUNDS; undo++)
				if (has(books->sent_undo, undo) &&
				    books->undo_of[undo] == round)
					*records = arrive(*records, after_undo);
		} while (*records != before);
	}
	/* While an effect stands the undo's handler runs, and it may refuse. Its
	 * answer can come long after another attempt succeeded. */
	for (uint32_t undo = 0; undo < ROUNDS; undo++)
		if (has(books->sent_undo, undo) && books->records[books->undo_of[undo]] & DID)
			books->may_refuse |= (uint8_t)(1 << undo);
}

static void expect_record(struct books *books, uint32_t round, record_set first)
{
	if (!books->records[round])
		books->records[round] = first;
}

void world_send(struct books *books, const struct command *command)
{
	uint8_t bit = (uint8_t)(1 << command->round);

	expect_record(books, command->do_round, NONE);
	switch (command->verb) {
	case VERB_DO:
		if (!(books->sent_do & bit))
			books->flags &= (uint8_t) ~(BOOKS_UNANSWERED | BOOKS_REFUSED);
		books->sent_do |= bit;
		break;
	case VERB_REVOKE: books->sent_revoke |= bit; break;
	case VERB_UNDO:
		books->sent_undo |= bit;
		books->undo_of[command->round] = (uint8_t)command->do_round;
		break;
	}
	let_arrive(books);
}

void world_begin_alone(struct books *books)
{
	expect_record(books, 0, DID);
}

static bool was_sent(const struct books *books, enum verb verb, uint32_t round)
{
	switch (verb) {
	case VERB_DO: return has(books->sent_do, round);
	case VERB_UNDO: return has(books->sent_undo, round);
	case VERB_REVOKE: break;
	}
	return has(books->sent_revoke, round);
}

bool world_answers(const struct books *books, enum verb verb, uint32_t round,
		   enum outcome outcome)
{
	uint32_t do_round = verb == VERB_UNDO ? books->undo_of[round] : round;

	if (!was_sent(books, verb, round))
		return false;
	if (verb == VERB_UNDO && outcome == OUTCOME_REFUSED && !has(books->may_refuse, round))
		return false;
	return books->records[do_round] & records_behind(verb, outcome);
}

void world_answered(struct books *books, enum verb verb, uint32_t round, enum outcome outcome)
{
	uint32_t do_round = verb == VERB_UNDO ? books->undo_of[round] : round;

	books->records[do_round] &= records_behind(verb, outcome);
	let_arrive(books);
}

/* --- what is true whatever the records are --------------------------------------- */

bool world_without_effect(const struct books *books, uint32_t round)
{
	return !(books->records[round] & (DID | UNDONE | TWICE)) &&
	       !(has(books->sent_do, round) && books->records[round] & NONE);
}

bool world_clear(const struct books *books)
{
	bool old = books->flags & BOOKS_OLD;

	for (uint32_t round = 0; round < ROUNDS; round++)
		if (books->records[round] & (DID | TWICE) ||
		    (books->records[round] & NONE && has(books->sent_do, round) && !old))
			return false;
	return true;
}

bool world_took_effect(const struct books *books)
{
	for (uint32_t round = 0; round < ROUNDS; round++)
		if (books->records[round] &&
		    !(books->records[round] & (NONE | REFUSED | BARRED)))
			return true;
	return false;
}

bool world_may_be_undone(const struct books *books)
{
	for (uint32_t round = 0; round < ROUNDS; round++)
		if (books->records[round] & UNDONE)
			return true;
	return false;
}

bool world_twice(const struct books *books)
{
	for (uint32_t round = 0; round < ROUNDS; round++)
		if (books->records[round] & TWICE)
			return true;
	return false;
}

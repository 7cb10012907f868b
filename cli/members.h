/* members.h - reading the server's JSON: members that may not be there. */
#ifndef SKALD_CLI_MEMBERS_H
#define SKALD_CLI_MEMBERS_H

#include "base/json.h"

/* The characters; empty where there is no such text. */
struct slice member_text(struct json object, const char *name, struct arena *arena);

/* Whole numbers; 0 where there is none. */
int64_t member_number(struct json object, const char *name);

/* A time as Unix milliseconds; 0 where there is none. */
int64_t member_time(struct json object, const char *name);

bool member_bool(struct json object, const char *name);

/* Anything; `null` where it is not there. */
struct json member_json(struct json object, const char *name);

#endif

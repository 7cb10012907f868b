/* message_copy.h - messages that own their texts: one block each, to be freed. */
#ifndef SKALD_PROTO_MESSAGE_COPY_H
#define SKALD_PROTO_MESSAGE_COPY_H

#include "proto/message.h"

/* The caller frees it with free(); NULL: out of memory. */
struct command_message *command_message_copy(const struct command_message *command);
struct reply_message *reply_message_copy(const struct reply_message *reply);
struct inquiry_message *inquiry_message_copy(const struct inquiry_message *inquiry);
struct records_message *records_message_copy(const struct records_message *records);

#endif

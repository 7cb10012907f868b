/* hear.h - what happens at other orchestrators; private to the gateway.
 *
 * While anybody here watches all sagas, the events of every other orchestrator are
 * watched from here, once for all who do. Whoever cannot be heard is tried again every
 * second; what was missed meanwhile is a `gap` in the streams.
 */
#ifndef SKALD_GATEWAY_HEAR_H
#define SKALD_GATEWAY_HEAR_H

#include "orchestrator/gateway/gateway.h"

enum { HEAR_AGAIN_MS = 1000 };

/* Who watches, or who is there, may have changed. */
void hear_look(struct gateway *gateway);
void hear_stop(struct gateway *gateway);

#endif

/* tell.h - the other orchestrators hear of a definition; private to the gateway. */
#ifndef SKALD_GATEWAY_TELL_H
#define SKALD_GATEWAY_TELL_H

#include "orchestrator/gateway/request.h"

enum { TELL_MS = 2000 }; /* how long the answer waits for them */

/* Deploy the request's body at the others, too, and then answer with what is in
 * request->out, an open object that gets the member `untold`: the URLs of those that
 * did not take it, and find it in the store once they need it. Without others the
 * answer is given at once, as it is to a request that is told. */
void tell_others(struct request *request, unsigned status);

/* The request is gone. */
void tell_forget(struct request *request);

#endif

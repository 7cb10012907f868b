/* settings_limits.h - the limits of participants in skald.yaml.
 *
 *	participants:
 *	  "*": { window: 200 }
 *	  payment: { window: 50, rate: 100/s, burst: 20, breaker: { failures: 5, pause: 30s } }
 *	  mail: { rate: 30/m, breaker: none }
 *
 * What a participant does not say is as "*" has it; `none` is no limit. A burst goes
 * with its rate: where only the rate is given, it is what comes in a second. The pause
 * of a breaker is 30s where nothing else is said.
 */
#ifndef SKALD_CLI_SETTINGS_LIMITS_H
#define SKALD_CLI_SETTINGS_LIMITS_H

#include "orchestrator/engine/limits.h"
#include "orchestrator/load/yaml_tree.h"

/* Mistakes are added to the problems, and *out is then of no use. */
void limits_read(struct problems *problems, const struct yaml_node *participants,
		 struct limits *out);

/* The limits in effect, as a settings file has them; nothing where there are none. */
void limits_print(const struct limits *limits, struct bytes *out);

#endif

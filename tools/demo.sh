#!/bin/sh
# What Skald does: 200 orders are run by four programs, of which two are killed on
# the way. `./run demo` builds first and then runs this.
#
#   tools/demo.sh [FOLDER]          where the programs are: build, unless it is given
#   tools/demo.sh FOLDER kafka      the same over Apache Kafka, which is started for it
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
bin=$(cd "${1:-build}" && pwd) || exit 1
over=${2:-local}
orders=200 at_once=20

# What somebody has set for a server of their own is not for this one.
for setting in $(env | sed -n 's/^\(SKALD_[A-Z_]*\)=.*/\1/p'); do
	unset "$setting"
done

# --- nothing is left behind ------------------------------------------------------

server='' inventory='' payment='' notification=''
dir=$(mktemp -d -u "${TMPDIR:-/tmp}/skald-demo-XXXXXX") || exit 1

clean_up()
{
	trap '' HUP INT QUIT PIPE TERM
	exec 2>/dev/null # where a shell tells of its children's end
	# The last one may not have got its name yet.
	kill -9 $server $inventory $payment $notification ${!-}
	wait
	[ ! -d "$dir/broker" ] || "$root/tools/engines" kafka down "$dir/broker"
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 131' QUIT
trap 'exit 141' PIPE
trap 'exit 143' TERM

fail()
{
	echo "demo: $*" >&2
	tail -n 5 ./*.log >&2
	exit 1
}

# --- four programs -----------------------------------------------------------------

# The folder is also where they are started, since a socket's path has to be short.
mkdir -m 700 "$dir" && cd "$dir" || exit 1

bus='' services_bus=local:bus.sock
if [ "$over" = kafka ]; then
	echo "Apache Kafka is started ..."
	broker=$("$root/tools/engines" kafka up "$dir/broker") || fail "there is no Kafka"
	bus="--bus kafka:$broker" services_bus=kafka:$broker
fi

# At a port that is free, and later at the same one again.
start_server()
{
	: >server.log
	# shellcheck disable=SC2086 # none or two words
	"$bin/skald" serve --data . --sagas "$root/sagas" --listen "${address:-127.0.0.1:0}" $bus \
		2>server.log &
	server=$!
	until grep -q event=ready server.log; do
		kill -0 $server 2>/dev/null || fail "the server did not start"
		sleep 0.05
	done
	address=$(sed -n 's|.*url=http://\([^ ]*\).*|\1|p' server.log)
	export SKALD_SERVER="http://$address"
}

# As real services are, they are slow, and now and then something fails.
start_service()
{
	name=$1
	shift
	"$bin/skald-$name" --data . --bus "$services_bus" --faults slow=60ms,fail=2% "$@" \
		2>>"$name.log" &
}

start_inventory() { start_service inventory --stock atlas=5; inventory=$!; }
start_payment() { start_service payment; payment=$!; }
start_notification() { start_service notification; notification=$!; }

# --- their work ------------------------------------------------------------------------

# make_orders FIRST: a line each. Some cards are declined, and of the atlas there are
# fewer than are wanted.
make_orders()
{
	awk -v first="$1" -v n="$at_once" 'BEGIN {
		for (i = first; i < first + n; i++)
			printf "{\"order_id\":\"%d\",\"sku\":\"%s\",\"qty\":1,\"total\":19.99," \
				"\"email\":\"ann@example.com\",\"card\":\"4111\",\"decline\":%s}\n",
				i, i % 20 == 13 ? "atlas" : "book", i % 20 == 7 ? "true" : "false"
	}'
}

count_ended()
{
	ended=$("$bin/skald" stats 2>>ask.log |
		awk '/^(completed|compensated|parked|killed) / { n += $2 } END { print n + 0 }')
}

# On a terminal one line that changes, elsewhere a line now and then.
told=0
progress()
{
	count_ended
	if [ -t 1 ]; then
		printf '\r  %3d of %d have ended ' "$ended" $orders
	elif [ $((ended / 50)) -gt $((told / 50)) ]; then
		echo "  $ended of $orders have ended"
	fi
	told=$ended
}

happens()
{
	[ ! -t 1 ] || printf '\r'
	echo "  $*"
}

cat <<'TEXT'
Skald runs sagas: transactions that span services of which none can roll back another.
Four programs are started: skald serve, and three services with a database each. An
order reserves stock, charges a card, confirms, and sends a mail. Some cards will be
declined, and the atlas is sold out soon: these orders have to be undone.

TEXT
start_server
start_inventory
start_payment
start_notification

part=0
while [ $((part * at_once)) -lt $orders ]; do
	make_orders $((part * at_once + 1)) >orders.jsonl
	"$bin/skald" start order -q --input-lines orders.jsonl >>ids ||
		fail "the orders could not be started"
	part=$((part + 1))
	case $part in
	3)
		happens "kill -9 skald-payment: orders wait for it"
		kill -9 $payment
		wait $payment 2>/dev/null
		payment='' ;;
	5)
		happens "skald-payment is started again"
		start_payment ;;
	7)
		happens "kill -9 skald serve, and start it again"
		kill -9 $server
		wait $server 2>/dev/null
		server=''
		start_server ;;
	esac
	progress
	sleep 0.2
done

give_up=$(($(date +%s) + 60))
while progress && [ "${ended:-0}" -lt $orders ]; do
	[ "$(date +%s)" -lt $give_up ] || fail "only $ended of $orders orders have ended"
	sleep 0.1
done
[ ! -t 1 ] || echo

# --- how they ended --------------------------------------------------------------------

number()
{
	sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$2"
}

printf '\nHow they ended, and why:\n\n'
"$bin/skald" ls --limit $orders --json >sagas.jsonl
sed -e 's/.*"status":"\([a-z]*\)".*"reason":null.*/\1/' \
	-e 's/.*"status":"\([a-z]*\)".*"reason":"\([^"]*\)".*/\1  (\2)/' sagas.jsonl |
	sort | uniq -c | sort -nr

printf '\nThe books that the services keep, each for itself:\n\n'
agree=yes
for name in inventory payment notification; do
	"$bin/skald-$name" audit --data . || agree=no
	"$bin/skald-$name" audit --data . --json >$name.json || agree=no
done
completed=$(grep -c '"status":"completed"' sagas.jsonl)
[ "$agree" = yes ] &&
	[ "$(number confirmed inventory.json)" = "$completed" ] &&
	[ "$(number held inventory.json)" = 0 ] &&
	[ "$(number charged_cents payment.json)" = $((completed * 1999)) ] ||
	fail "the books do not agree with the outcomes"
echo
echo "So $completed orders were completed, as many were paid and delivered, and no stock is held."

printf '\nOne that turned back:\n\n$ skald show %s\n' "$(sed -n 7p ids)"
"$bin/skald" show "$(sed -n 7p ids)"

cat <<TEXT

All of it is gone now. To go on yourself, with data that stays in ./skald-data:

  cd '$root'
  build/skald serve &
  build/skald-inventory & build/skald-payment & build/skald-notification &

When the four have said that they are ready, order something, and look at it:

  build/skald start order --id mine --wait --input '{"order_id":"1","sku":"book","qty":1,"total":9.90,"email":"me@example.com","card":"4111"}'
  build/skald show mine
  kill %1 %2 %3 %4

The order as a picture, and held against every failure, up to the bounds printed:

  build/skald graph sagas/order.yaml
  build/skald check --exhaustive sagas/order.yaml

README.md goes on from there.
TEXT

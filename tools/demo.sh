#!/bin/sh
# What Skald does: 200 orders are run by four programs, of which two are killed on
# the way. `./run demo` builds first and then runs this.
#
#   tools/demo.sh [FOLDER]          where the programs are: build, unless it is given
#   tools/demo.sh FOLDER kafka      the same over Apache Kafka, which is started for it
#   tools/demo.sh FOLDER cluster    three servers and two of each service, over Kafka and
#                                   the stand-in for MongoDB; one server is killed
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
bin=$(cd "${1:-build}" && pwd) || exit 1
way=${2:-local}
orders=200 at_once=20

# What somebody has set for a server of their own is not for this one.
for setting in $(env | sed -n 's/^\(SKALD_[A-Z_]*\)=.*/\1/p'); do
	unset "$setting"
done

# --- nothing is left behind ------------------------------------------------------

servers='' inventory='' payment='' notification='' more=''
dir=$(mktemp -d -u "${TMPDIR:-/tmp}/skald-demo-XXXXXX") || exit 1

clean_up()
{
	trap '' HUP INT QUIT PIPE TERM
	exec 2>/dev/null # where a shell tells of its children's end
	# The last one may not have got its name yet.
	kill -9 $servers $inventory $payment $notification $more ${!-}
	wait
	[ ! -d "$dir/broker" ] || "$root/tools/engines" kafka down "$dir/broker"
	[ ! -d "$dir/mongo" ] || "$root/tools/engines" mongo down "$dir/mongo"
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

over='' services_over='--bus local:server1/bus.sock' store='' payments='--data .'
if [ "$way" != local ]; then
	echo "Apache Kafka is started ..."
	broker=$("$root/tools/engines" kafka up "$dir/broker") || fail "there is no Kafka"
	services_over="--bus kafka:$broker --kafka session.timeout.ms=6000"
	over=$services_over
fi
if [ "$way" = cluster ]; then
	echo "The stand-in for MongoDB is started ..."
	mongo=$("$root/tools/engines" mongo up "$dir/mongo") || fail "there is no MongoDB"
	store="--store mongo:$mongo/skald" payments="--data payment --store mongo:$mongo/payment"
fi

# start_server NUMBER: at a port that is free, and later at the same one again; it is the
# one that is asked from now on. Its process is $server.
start_server()
{
	: >"server$1.log"
	eval "address=\${address$1:-127.0.0.1:0}"
	# shellcheck disable=SC2086 # none or several words
	"$bin/skald" serve --data "server$1" --sagas "$root/sagas" --listen "$address" $over $store \
		2>"server$1.log" &
	server=$!
	servers="$servers $server"
	until grep -q event=ready "server$1.log"; do
		kill -0 $server 2>/dev/null || fail "the server did not start"
		sleep 0.05
	done
	address=$(sed -n 's|.*url=http://\([^ ]*\).*|\1|p' "server$1.log")
	eval "address$1=\$address"
	export SKALD_SERVER="http://$address"
}

# The one that was started last.
kill_server()
{
	kill -9 $server
	wait $server 2>/dev/null
	servers=${servers%" $server"}
}

# As real services are, they are slow, and now and then something fails.
start_service()
{
	name=$1
	shift
	# shellcheck disable=SC2086 # several words
	"$bin/skald-$name" $services_over --faults slow=60ms,fail=2% "$@" 2>>"$name.log" &
}

start_inventory() { start_service inventory --data . --stock atlas=5; inventory=$!; }
start_payment()
{
	# shellcheck disable=SC2086 # several words
	start_service payment $payments
	payment=$!
}
start_notification() { start_service notification --data .; notification=$!; }

# Everybody twice, and two more servers; the last one is asked, and killed later.
start_more()
{
	start_server 2
	start_server 3
	more="$inventory $payment $notification"
	start_inventory
	payments="--data payment2 --store mongo:$mongo/payment"
	start_payment
	start_notification
}

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
Here are skald serve, and three services with a database each, each a program. An order
reserves stock, charges a card, confirms, and sends a mail. Some cards will be declined,
and the atlas is sold out soon: these orders have to be undone.

TEXT
start_server 1
start_inventory
start_payment
start_notification
if [ "$way" = cluster ]; then
	start_more
	cat <<'TEXT'
There are three of skald serve, which share the sagas in MongoDB, and two of each service.
Any server can be asked for anything. Payments are in MongoDB, too; stock and mails are in
a SQLite file each.

TEXT
fi

part=0
while [ $((part * at_once)) -lt $orders ]; do
	make_orders $((part * at_once + 1)) >orders.jsonl
	"$bin/skald" start order -q --input-lines orders.jsonl >>ids ||
		fail "the orders could not be started"
	part=$((part + 1))
	case $part in
	3)
		if [ "$way" = cluster ]; then
			happens "kill -9 one skald-payment of two"
		else
			happens "kill -9 skald-payment: orders wait for it"
		fi
		kill -9 $payment
		wait $payment 2>/dev/null
		payment='' ;;
	5)
		happens "skald-payment is started again"
		start_payment ;;
	7)
		if [ "$way" = cluster ]; then
			happens "kill -9 one skald serve of three: its orders go on at the others"
			kill_server
			export SKALD_SERVER="http://$address1"
		else
			happens "kill -9 skald serve, and start it again"
			kill_server
			start_server 1
		fi ;;
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
	books='--data .'
	[ $name != payment ] || books=$payments
	# shellcheck disable=SC2086 # several words
	"$bin/skald-$name" audit $books || agree=no
	# shellcheck disable=SC2086 # several words
	"$bin/skald-$name" audit $books --json >$name.json || agree=no
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

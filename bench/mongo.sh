#!/bin/sh
# What MongoDB has a part in, on the stand-in for it that this starts and removes, or on
# the server of the URI.
#
#	bench/mongo.sh FOLDER takeover [URI]   with bench/bench_takeover in it; make bench-takeover
#	bench/mongo.sh FOLDER share [URI]      Skald's share of the writes; make bench-mongo
#
# SAGAS=100000 are taken over. For the share the raw writes and Skald, over a broker of its
# own, take turns, ROUNDS=5 of each with SAGAS=5000; the best of each count, and exit 1
# says that the share is too small. The URI is mongodb://HOST:PORT, and names no database.
programs=${1:?usage: bench/mongo.sh FOLDER takeover|share [URI]}
what=$2 uri=$3
folder=$(mktemp -d) || exit
engine=$folder/mongo kafka=$folder/kafka
trap '[ ! -d "$engine" ] || tools/engines mongo down "$engine"
	[ ! -d "$kafka" ] || tools/engines kafka down "$kafka"
	rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

[ -n "$uri" ] || uri=$(tools/engines mongo up "$engine") || exit
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"

# figure NAME: of the JSON object that comes in
figure()
{
	sed -E "s/.*\"$1\":([0-9.]+).*/\1/"
}

# The raw writes, while the floor of Kafka with as many sagas runs beside them, again and again.
raw()
{
	"$programs/bench/bench_mongo" "$uri" "$sagas" >"$folder/raw" &
	writes=$!
	while kill -0 $writes 2>/dev/null; do
		"$programs/bench/floor_kafka" --kafka "$broker" --sagas "$sagas" --json >"$folder/floor" ||
			exit
	done
	wait $writes || exit
}

share()
{
	sagas=${SAGAS:-5000}
	broker=$(tools/engines kafka up "$kafka") || exit
	for round in $(seq "${ROUNDS:-5}"); do
		raw
		"$programs/skald" bench --json --bus "kafka:$broker" --store "mongo:$uri" \
			--sagas "$sagas" >"$folder/skald" || exit
		echo "$(figure writes_per_s <"$folder/raw") $(figure sagas_per_s <"$folder/floor")" \
			"$(figure sagas_per_s <"$folder/skald")" | tee -a "$folder/rounds" |
			awk -v round="$round" '{
				printf "  %d: %.0f raw writes/s beside %.0f sagas/s of the floor, ", round, $1, $2
				printf "Skald %.0f sagas/s\n", $3 }'
	done
	awk '
		$1 > raw { raw = $1 }
		$2 > floor { floor = $2 }
		$3 > skald { skald = $3 }
		END {
			share = 500 * skald / raw
			missed = share < 40
			printf "raw: %.0f writes/s, which allow %.0f sagas/s of five\n", raw, raw / 5
			printf "floor of Kafka beside it: %.0f sagas/s\n", floor
			printf "Skald: %.0f sagas/s, %.0f %%, at least 40 %%%s\n", skald, share,
				missed ? " - MISSED" : ""
			exit missed
		}' "$folder/rounds"
}

case $what in
share) share || exit ;;
takeover) "$programs/bench/bench_takeover" "$uri" "${SAGAS:-100000}" || exit ;;
*) echo "mongo.sh: there is no $what" >&2; exit 2 ;;
esac
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"

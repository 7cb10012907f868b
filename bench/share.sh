#!/bin/sh
# Skald's share of what the machine can do: the floor and `skald bench` in turns, in
# the same minutes and on the same disk, the best of each.
#
#	bench/share.sh FOLDER                  with skald and bench/floor in it; make bench
#	bench/share.sh FOLDER kafka            over a broker of its own; make bench-kafka
#	bench/share.sh FOLDER kafka:HOST:PORT  over that one
#
# ROUNDS=5 of each, SAGAS=50000 in each round, ALONE=2000 where they go one at a time,
# DIR for the temporary folders. Exit 1: a share is too small, or a run did not keep
# its books.
programs=${1:?usage: bench/share.sh FOLDER [kafka[:HOST:PORT]]}
bus=${2:-local}
rounds=${ROUNDS:-5}
sagas=${SAGAS:-50000}
floor="$programs/bench/floor${DIR:+ --dir $DIR}"
folder=$(mktemp -d) || exit
results=$folder/results broker=$folder/broker
trap '[ ! -d "$broker" ] || tools/engines kafka down "$broker"; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

if [ "$bus" = kafka ]; then
	address=$(tools/engines kafka up "$broker") || exit
	bus=kafka:$address
fi
[ "$bus" = local ] || floor="$programs/bench/floor_kafka --kafka ${bus#kafka:}"
skald="$programs/skald bench --bus $bus${DIR:+ --dir $DIR}"

# measure NAME PROGRAM...: one run, and "NAME sagas/s p50" of it at the end of the file
measure()
{
	name=$1
	shift
	out=$("$@" --json) || { echo "failed: $*" >&2; exit 1; }
	echo "$out" | sed -E "s/.*\"sagas_per_s\":([0-9.]+).*\"p50_ms\":([0-9.]+).*/$name \1 \2/" \
		>>"$results"
}

# compare WHAT WANTED OPTION...: WANTED is the least share of sagas/s in percent, or
# "3x", the most that one saga may take longer
compare()
{
	what=$1 wanted=$2
	shift 2
	: >"$results"
	for round in $(seq "$rounds"); do
		measure floor $floor "$@"
		measure skald $skald "$@"
		tail -n 2 "$results" | awk -v round="$round" '
			{ rate[$1] = $2; p50[$1] = $3 }
			END { printf "  %d: floor %.0f/s %.2f ms, skald %.0f/s %.2f ms\n", round,
			      rate["floor"], p50["floor"], rate["skald"], p50["skald"] }'
	done
	awk -v what="$what" -v wanted="$wanted" '
		$2 > rate[$1] { rate[$1] = $2 }
		!($1 in p50) || $3 < p50[$1] { p50[$1] = $3 }
		END {
			if (wanted ~ /x$/) {
				share = p50["skald"] / p50["floor"]
				missed = share > wanted + 0
				line = sprintf("p50 %.2f ms, floor %.2f ms: %.1f times, at most %d",
					p50["skald"], p50["floor"], share, wanted)
			} else {
				share = 100 * rate["skald"] / rate["floor"]
				missed = share < wanted + 0
				line = sprintf("%.0f/s, floor %.0f/s: %.0f %%, at least %d %%",
					rate["skald"], rate["floor"], share, wanted)
			}
			printf "%s: %s%s\n", what, line, missed ? " - MISSED" : ""
			exit missed
		}' "$results"
}

missed=0
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"
if [ "$bus" = local ]; then
	alone=${ALONE:-2000}
	compare "1,000 in flight" 20 --sagas "$sagas" --inflight 1000 || missed=1
	compare "1,000 in flight, 10 % declined" 16 --sagas "$sagas" --inflight 1000 \
		--decline 10% || missed=1
	compare "one at a time" 3x --sagas "$alone" --inflight 1 || missed=1
else
	alone=${ALONE:-500}
	compare "1,000 in flight" 25 --sagas "$sagas" --inflight 1000 || missed=1
	compare "4,000 in flight" 25 --sagas "$sagas" --inflight 4000 || missed=1
	compare "one at a time" 2x --sagas "$alone" --inflight 1 || missed=1
fi
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
exit $missed

#!/bin/sh
# Skald's share of what the machine can do: the floor and `skald bench` in turns, in
# the same minutes and on the same disk, the best of each.
#
#	bench/share.sh FOLDER     with skald and bench/floor in it; make bench
#
# ROUNDS=5 of each, SAGAS=50000 in each round, ALONE=2000 where they go one at a time,
# DIR for the temporary folders. Exit 1: a share is too small, or a run did not keep
# its books.
programs=${1:?usage: bench/share.sh FOLDER}
rounds=${ROUNDS:-5}
sagas=${SAGAS:-50000}
alone=${ALONE:-2000}
results=$(mktemp) || exit
trap 'rm -f "$results"' EXIT
trap 'exit 130' INT TERM

# measure NAME PROGRAM...: one run, and "NAME sagas/s p50" of it at the end of the file
measure()
{
	name=$1
	shift
	out=$("$@" --json ${DIR:+--dir "$DIR"}) || { echo "failed: $*" >&2; exit 1; }
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
		measure floor "$programs/bench/floor" "$@"
		measure skald "$programs/skald" bench "$@"
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
compare "1,000 in flight" 20 --sagas "$sagas" --inflight 1000 || missed=1
compare "1,000 in flight, 10 % declined" 16 --sagas "$sagas" --inflight 1000 --decline 10% ||
	missed=1
compare "one at a time" 3x --sagas "$alone" --inflight 1 || missed=1
exit $missed

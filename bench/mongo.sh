#!/bin/sh
# What MongoDB has a part in, on the stand-in for it that this starts and removes, or on
# the server of the URI.
#
#	bench/mongo.sh FOLDER takeover [URI]   with bench/bench_takeover in it; make bench-takeover
#	bench/mongo.sh FOLDER share [URI]      Skald's share of the writes; make bench-mongo
#
# SAGAS=100000 are taken over, SAGAS=2000 shared. The URI is mongodb://HOST:PORT, and names no database.
programs=${1:?usage: bench/mongo.sh FOLDER takeover|share [URI]}
what=$2 uri=$3
folder=$(mktemp -d) || exit
engine=$folder/mongo
trap '[ ! -d "$engine" ] || tools/engines mongo down "$engine"; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

[ -n "$uri" ] || uri=$(tools/engines mongo up "$engine") || exit
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"

# figure NAME: of the JSON object that comes in
figure()
{
	sed -E "s/.*\"$1\":([0-9.]+).*/\1/"
}

share()
{
	sagas=${SAGAS:-2000}
	raw=$("$programs/bench/bench_mongo" "$uri" "$sagas") || exit
	skald=$("$programs/skald" bench --json --store "mongo:$uri" --sagas "$sagas") || exit
	echo "$(echo "$raw" | figure writes_per_s) $(echo "$skald" | figure sagas_per_s)" | awk '{
		printf "raw: %.0f writes/s, which allow %.0f sagas/s of five\n", $1, $1 / 5
		printf "Skald: %.0f sagas/s, %.0f %% of that; the aim is 40 %%\n", $2, 500 * $2 / $1
	}'
}

case $what in
share) share ;;
takeover) "$programs/bench/bench_takeover" "$uri" "${SAGAS:-100000}" || exit ;;
*) echo "mongo.sh: there is no $what" >&2; exit 2 ;;
esac
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"

# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# idle.sh - a mount that nobody uses becomes smaller by itself, and stays the same.

# Lines that come again, but seldom within one frame of new data.
lines()
{
	awk -v seed="$1" -v n=8000 'BEGIN {
		srand(seed)
		for (i = 0; i < 3000; i++)
			for (k = 0; k < 25; k++)
				line[i] = line[i] sprintf("%08x", rand() * 4294967296)
		for (i = 0; i < n; i++)
			print line[int(rand() * 3000)]
	}'
}

sums()
{
	find . -type f -exec md5sum {} + | sort -k 2
}

told()
{
	value_of "$1" "$work/store"
}

begun()
{
	(($(told idle_optimized_bytes) > 0))
}

smaller()
{
	(($(told stored_bytes) < before * 9 / 10))
}

# A mount with nothing to do. The threads that optimise have the lowest priority: on
# a busy machine an earlier one may not have come to its end.
nothing_again()
{
	again -o optimize=1
	sleep 4
	(($(told idle_optimized_bytes) == 0))
}

# CPU time of the daemon, in ticks of 10 ms.
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$(daemon_pid)/stat"
}

# quiet SECONDS: the daemon has nothing to do.
quiet()
{
	local first
	first=$(ticks)
	sleep "$1"
	(($(ticks) - first <= $1 * 5))
}

test_idle_smaller()
{
	local before
	start -o optimize=off
	lines 1 >text
	sums >"$work/sums"
	"$SIGMAFS" sync .
	before=$(told stored_bytes)
	again -o optimize=1
	until_true smaller
	(($(told idle_after_bytes) < $(told idle_before_bytes))) || fail 'told of no gain'
	"$SIGMAFS" stat . | grep -q '^idle ' || fail 'not told'
	until_true quiet 3
	sums | cmp - "$work/sums" || fail 'other bytes'
	# What was done is not done again, by a later mount either.
	until_true nothing_again
	sums | cmp - "$work/sums" || fail 'other bytes after a mount'
	# What is new is.
	lines 2 >text2
	sums >"$work/sums"
	until_true begun
	until_true quiet 3
	sums | cmp - "$work/sums" || fail 'other bytes of two'
	finish
}

# use_often: somebody comes again and again, for six seconds, and then looks. Whether
# never two seconds went by without.
use_often()
{
	local n now last=${EPOCHREALTIME/[!0-9]/} longest=0
	for ((n = 0; n <= 40; n++)); do
		rm -f name
		: >name
		sleep 0.15
		((n < 40)) || "$SIGMAFS" stat --json . >"$work/told"
		now=${EPOCHREALTIME/[!0-9]/}
		((longest >= now - last)) || longest=$((now - last))
		last=$now
	done
	((longest < 1900000))
}

test_idle_used()
{
	start -o optimize=2
	lines 3 >text
	"$SIGMAFS" sync .
	# A machine may be so busy that nobody came for longer.
	if use_often; then
		grep -q '"idle_optimized_bytes":0,' "$work/told" ||
			fail "$(cat "$work/told")"
	fi
	until_true begun
	finish
}

test_idle_off()
{
	start -o optimize=off
	lines 4 >text
	"$SIGMAFS" sync .
	sleep 4
	same 'bytes that were optimised' "$(told idle_optimized_bytes)" 0
	same 'when' "$(told idle_optimized_at)" 0
	"$SIGMAFS" stat . | grep '^idle ' && fail 'told of nothing'
	finish
}

test_idle_killed()
{
	local i
	start -o optimize=1
	for i in 1 2; do
		# So that there is something to do, however far it was.
		lines "$((3 + 2 * i))" >"text$i"
		lines "$((4 + 2 * i))" >"more$i"
		sums >"$work/sums"
		"$SIGMAFS" sync .
		until_true begun
		cd "$work"
		kill_daemon
		umount -l mnt
		mount_at store mnt -o optimize=1
		cd mnt
		sums | cmp - "$work/sums" || fail "other bytes after $i"
	done
	lines 9 >text
	sums >"$work/sums"
	"$SIGMAFS" sync .
	until_true begun
	sums | cmp - "$work/sums" || fail 'other bytes in the end'
	finish
}

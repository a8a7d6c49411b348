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

# until_true COMMAND...: within the time that a test has.
until_true()
{
	local n
	for ((n = 0; n < 1000; n++)); do
		! "$@" || return 0
		sleep 0.1
	done
	fail "waited in vain for: $*"
}

begun()
{
	(($(told idle_optimized_bytes) > 0))
}

smaller()
{
	(($(told stored_bytes) < before * 9 / 10))
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
	local before frames
	start -o optimize=1
	lines 1 >text
	sums >"$work/sums"
	"$SIGMAFS" sync .
	before=$(told stored_bytes)
	until_true smaller
	(($(told idle_after_bytes) < $(told idle_before_bytes))) || fail 'told of no gain'
	"$SIGMAFS" stat . | grep -q '^idle ' || fail 'not told'
	until_true quiet 3
	frames=$(told frames)
	sums | cmp - "$work/sums" || fail 'other bytes'
	# What was done is not done again, by a later mount either.
	again -o optimize=1
	sleep 4
	same 'bytes that were optimised again' "$(told idle_optimized_bytes)" 0
	same 'frames' "$(told frames)" "$frames"
	sums | cmp - "$work/sums" || fail 'other bytes after a mount'
	# What is new is.
	lines 2 >text2
	sums >"$work/sums"
	until_true begun
	until_true quiet 3
	sums | cmp - "$work/sums" || fail 'other bytes of two'
	finish
}

# Somebody comes again and again.
test_idle_used()
{
	local n frames
	start -o optimize=2
	lines 3 >text
	"$SIGMAFS" sync .
	frames=$(told frames)
	for ((n = 0; n < 40; n++)); do
		rm -f name
		: >name
		sleep 0.15
	done
	same 'bytes that were optimised' "$(told idle_optimized_bytes)" 0
	same 'frames' "$(told frames)" "$frames"
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
	local i before
	start -o optimize=1
	lines 5 >text
	lines 6 >text2
	sums >"$work/sums"
	"$SIGMAFS" sync .
	before=$(told stored_bytes)
	for i in 1 2; do
		until_true begun
		cd "$work"
		kill_daemon
		umount -l mnt
		mount_at store mnt -o optimize=1
		cd mnt
		sums | cmp - "$work/sums" || fail "other bytes after $i"
	done
	until_true smaller
	sums | cmp - "$work/sums" || fail 'other bytes in the end'
	finish
}

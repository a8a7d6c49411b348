# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# crash.sh - the daemon dies without warning; what was synced is there.

# After kill_daemon: the dead mount goes, the store mounts by itself.
revive()
{
	cd "$work"
	"$SIGMAFS" umount mnt
	! mountpoint -q mnt || fail 'the dead mount is still there'
	mount_at store mnt
	cd mnt
}

test_crash_synced()
{
	start
	bytes 5000000 1 >one
	sync one
	mkdir dir
	bytes 100 2 >dir/two
	sync dir/two dir
	bytes 300000 3 >three
	"$SIGMAFS" sync .
	mv three four
	sync .
	kill_daemon
	revive
	bytes 5000000 1 | cmp - one
	bytes 100 2 | cmp - dir/two
	bytes 300000 3 | cmp - four
	[[ ! -e three ]] || fail 'the rename is lost'
	finish
}

test_crash_dead_mount()
{
	start
	echo text >file
	sync file
	kill_daemon
	cd "$work"
	fails 'not connected' ls mnt
	refuses 32 'daemon has died' "$SIGMAFS" mount store mnt
	revive
	same content "$(cat file)" text
	finish
}

any_synced()
{
	[[ $(cat "$work/synced") -gt 0 ]]
}

# Killed at odd moments under load, again and again.
test_crash_repeated()
{
	local round i last
	start
	for round in 1 2 3 4 5 6; do
		echo 0 >"$work/synced"
		(
			for ((i = 1;; i++)); do
				bytes $((i * 7919 % 200000 + 1)) "$i" \
					>"r$round-$i"
				((i % 5 > 0)) || sync "r$round-$i"
				((i % 5 > 0)) || echo "$i" >"$work/synced"
			done
		) 2>/dev/null &
		until_true any_synced
		sleep "0.$((round * 13 + 20))"
		kill_daemon
		wait || true
		last=$(cat "$work/synced")
		revive
		for ((i = 5; i <= last; i += 5)); do
			bytes $((i * 7919 % 200000 + 1)) "$i" |
				cmp - "r$round-$i"
		done
	done
	finish
}

# An unlinked file that was open is not left behind for ever.
test_crash_orphan()
{
	start
	"$HELPER" hold gone text "rm gone; $SIGMAFS sync .;
		kill -9 $(daemon_pid)" || true
	wait_gone "$(daemon_pid)"
	revive
	[[ ! -e gone ]] || fail 'it is back'
	same files "$(value_of files .)" 1
	finish
}

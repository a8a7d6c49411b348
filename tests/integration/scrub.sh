# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# scrub.sh - all data is verified, also of a store that is in use.

# scrub_damage: flips bytes of what `noise` holds.
scrub_damage()
{
	local segment
	segment=$(find store/log -name '*.seg' -size +1M | sort | head -n 1)
	printf 'XXXX' | dd of="$segment" bs=1 seek=1000000 conv=notrunc \
		status=none
}

# scrub_status WANTED COMMAND...: its output is in `out` and `err`.
scrub_status()
{
	local status=0 wanted=$1
	shift
	"$@" >out 2>err || status=$?
	same "status of $*: $(cat out err)" "$status" "$wanted"
}

test_scrub()
{
	start
	mkdir dir
	bytes 3000000 1 >dir/noise
	ln dir/noise linked
	seq 1 100000 >numbers
	"$SIGMAFS" sync .
	"$SIGMAFS" stat . | grep -qE '^scrub +never$' || fail 'scrubbed?'
	cd "$work"
	scrub_status 0 "$SIGMAFS" scrub mnt
	grep -qE "store': .* in [0-9]+ frames verified, 0 damaged$" out ||
		fail "$(cat out)"
	"$SIGMAFS" stat mnt | grep -qE '^scrub +ended .*, 0 damaged$' ||
		fail "$("$SIGMAFS" stat mnt)"
	finish
	scrub_status 0 "$SIGMAFS" scrub store
	scrub_damage
	scrub_status 4 "$SIGMAFS" scrub store
	# Once, whatever refers to it.
	same lines "$(grep -cE "^'/(linked|dir/noise)' bytes [0-9]+ to [0-9]+: segment [0-9]+ @[0-9]+, frame [0-9]+: " out)" 1
	grep -q ' 1 damaged$' out || fail "$(cat out)"
	"$SIGMAFS" stat store | grep -q "^damaged *'/.* bytes " ||
		fail "$("$SIGMAFS" stat store)"
	# The daemon tells what another process has found, and finds it again.
	mount_at store mnt
	same known "$(value_of scrub_damaged mnt)" 1
	scrub_status 4 "$SIGMAFS" scrub --json mnt
	same lines "$(grep -c '^{.*"segment":.*"path":"/' out)" 1
	tail -n 1 out | grep -q '"result":0,.*"scrub_damaged":1,' ||
		fail "$(cat out)"
	"$SIGMAFS" stat --json mnt |
		grep -q '"scrub_found":\[{"segment":[0-9]*,.*"path":"/' ||
		fail 'not in stat'
	# What reads of it give is EIO in the same place, and nowhere else.
	if cat mnt/dir/noise >/dev/null 2>err; then
		fail 'damage is read'
	fi
	grep -q 'Input/output error' err || fail "$(cat err)"
	same numbers "$(cksum <mnt/numbers)" "$(seq 1 100000 | cksum)"
	# What nobody needs is no damage.
	rm mnt/dir/noise mnt/linked
	"$SIGMAFS" sync mnt
	scrub_status 0 "$SIGMAFS" scrub mnt
	unmount_at mnt
}

# scrubbed N: more frames than that, so far.
scrubbed()
{
	(($(value_of scrub_frames mnt) > $1))
}

# Slowed down, stopped, unmounted, killed: it goes on where it was.
test_scrub_resumes()
{
	local before after began status=0
	start
	bytes 8000000 1 >noise
	"$SIGMAFS" sync .
	cd "$work"
	began=$SECONDS
	"$SIGMAFS" scrub --rate=500K mnt >out 2>err &
	until_true scrubbed 5
	kill -INT $!
	wait $! || status=$?
	same status "$status" 32
	grep -q 'goes on from here' err || fail "$(cat err)"
	before=$(value_of scrub_frames mnt)
	# Seconds are whole ones, and a frame may be under way.
	(($(value_of scrub_bytes mnt) <= (SECONDS - began + 2) * 512000)) ||
		fail 'too fast'
	unmount_at mnt
	same kept "$(value_of scrub_frames store)" "$before"
	mount_at store mnt
	"$SIGMAFS" scrub --rate=500K mnt >out 2>err &
	until_true scrubbed "$before"
	unmount_at mnt
	wait
	grep -q 'unmounted meanwhile\|stopped' err || fail "$(cat err)"
	after=$(value_of scrub_frames store)
	((after > before)) || fail "$after frames after $before"
	mount_at store mnt
	kill_daemon
	umount -l mnt
	scrub_status 0 "$SIGMAFS" scrub store
	# Not a frame twice.
	same frames "$(value_of scrub_frames store)" "$(value_of frames store)"
	# A state that is damaged counts for none.
	printf x >>store/scrub
	"$SIGMAFS" stat store | grep -qE '^scrub +never$' || fail 'believed'
	scrub_status 0 "$SIGMAFS" scrub store
	"$SIGMAFS" check store
}

# While it runs the store is written to, cleaned and optimised.
test_scrub_beside_others()
{
	local i
	start
	bytes 20000000 1 >stays
	"$SIGMAFS" sync .
	cd "$work"
	for i in 1 2 3; do
		"$SIGMAFS" scrub mnt >"out$i" 2>"err$i" || : >failed &
		bytes 20000000 "$((i + 1))" >mnt/goes
		seq 1 300000 >"mnt/numbers$i"
		rm mnt/goes
		"$SIGMAFS" gc mnt >/dev/null
		"$SIGMAFS" optimize mnt >/dev/null
		wait
		[[ ! -e failed ]] || fail "$(cat "out$i" "err$i")"
	done
	# Nobody asks after it: it ends, and the next one may begin.
	"$HELPER" say store/control $'sigmafs 1 scrub start 1000\n' |
		grep -q '"ok":true'
	scrub_status 8 "$SIGMAFS" scrub mnt
	grep -q 'is being scrubbed already' err || fail "$(cat err)"
	"$HELPER" say store/control $'sigmafs 1 scrub stop\n' >/dev/null
	bytes 20000000 1 | cmp - mnt/stays
	finish
}

test_scrub_refuses()
{
	"$SIGMAFS" mkfs -q store
	refuses 16 'too few' "$SIGMAFS" scrub
	refuses 16 "'much' is no rate" "$SIGMAFS" scrub --rate=much store
	refuses 16 "'0' is no rate" "$SIGMAFS" scrub --rate=0 store
	refuses 8 "nothing' cannot be found" "$SIGMAFS" scrub nothing
}

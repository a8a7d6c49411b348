#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# kill_mount.sh: kills the daemon of a real mount under load, again and again.
# Each time: it mounts again by itself, everything that was synced is there,
# nothing is there that never was, and after an unmount 'sigmafs check' finds
# nothing. ROUNDS=n (default 5), SEED=n, WRITERS=n (default 3).
# SIGMAFS: the program; LOAD: the load generator (default: of this build).
set -euo pipefail

here=$(pwd)
sigmafs=${SIGMAFS:-$here/sigmafs}
load=${LOAD:-$here/tests/crash/load}
rounds=${ROUNDS:-5}
writers=${WRITERS:-3}
seed=${SEED:-1}
steps=100000
n_bad=0

die()
{
	echo "kill_mount: $*" >&2
	exit 1
}

[[ -c /dev/fuse ]] || die "no /dev/fuse"
[[ -x $sigmafs ]] || die "no program '$sigmafs'"
[[ -x $load ]] || die "no load generator '$load'"

work=$(mktemp -d "${TMPDIR:-/tmp}/sigmafs-kill-XXXXXX")
store=$work/store
mnt=$work/mnt
daemon=
RANDOM=$seed

# Whatever happens, nothing of ours stays mounted or running.
clean_up()
{
	[[ -z $daemon ]] || kill -9 "$daemon" 2>/dev/null || true
	while mountpoint -q "$mnt" || ! stat "$mnt" >/dev/null 2>&1; do
		umount -l "$mnt" 2>/dev/null ||
			fusermount3 -u -z "$mnt" 2>/dev/null || break
	done
	if ((n_bad > 0)); then
		echo "kill_mount: left for you: $work" >&2
	else
		rm -rf "$work"
	fi
}
trap clean_up EXIT

mount_it()
{
	local i
	"$sigmafs" mount -f "$store" "$mnt" >>"$work/daemon.log" 2>&1 &
	daemon=$!
	for ((i = 0; i < 200; i++)); do
		if mountpoint -q "$mnt"; then
			return 0
		fi
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.05
	done
	daemon=
	return 1
}

unmount_it()
{
	"$sigmafs" umount "$mnt" || return
	wait "$daemon" || return
	daemon=
}

# The journals of the newest rounds: what was left then is still there.
verify_all()
{
	local journal name status=0
	for journal in "$work"/journal/*; do
		name=${journal##*/}
		"$load" verify "$mnt/$name" "$journal" "${name##*-}" "$steps" \
			>>"$work/verify.log" || status=1
	done
	return "$status"
}

# Deletes the work of an old round, beside the new load.
remove_old()
{
	local journal
	for journal in "$work"/journal/r"$1"-*; do
		[[ -f $journal ]] || continue
		rm -f "$journal"
		rm -rf "${mnt:?}/${journal##*/}" 2>/dev/null || true
	done
}

# One round; says what went wrong.
one_round()
{
	local round=$1 w name status=0 old pids=()

	mount_it || { echo "it does not mount"; return 1; }
	for ((w = 0; w < writers; w++)); do
		name=r$round-w$w-$((seed * 100000 + round * 100 + w))
		mkdir -m 755 "$mnt/$name"
		sync "$mnt/$name" "$mnt"
		: >"$work/journal/$name"
		"$load" work "$mnt/$name" "$work/journal/$name" "${name##*-}" \
			"$steps" 2>>"$work/load.log" &
		pids+=($!)
	done
	remove_old $((round - 3)) &
	old=$!
	sleep "$((RANDOM % 3)).$((RANDOM % 900 + 100))"
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null || true
	daemon=
	for w in "${pids[@]}"; do
		wait "$w" || status=1
	done
	wait "$old" || true
	umount -l "$mnt" 2>/dev/null || fusermount3 -u -z "$mnt"
	if ((status != 0)); then
		echo "a writer got a wrong answer: $(tail -n 1 "$work/load.log")"
		return 1
	fi
	mount_it || { echo "it does not mount again"; return 1; }
	verify_all 2>"$work/wrong" || { cat "$work/wrong"; return 1; }
	unmount_it || { echo "it does not unmount"; return 1; }
	"$sigmafs" check "$store" >"$work/check.log" 2>&1 ||
		{ echo "check: $(head -n 3 "$work/check.log")"; return 1; }
}

mkdir "$mnt" "$work/journal"
"$sigmafs" mkfs "$store" >/dev/null
for ((round = 1; round <= rounds; round++)); do
	started=$SECONDS
	if one_round "$round" >"$work/said"; then
		printf 'round %d: fine, %d operations verified, %d s\n' "$round" \
			"$(cat "$work"/journal/* | wc -c)" \
			"$((SECONDS - started))"
	else
		n_bad=$((n_bad + 1))
		printf 'round %d: %s\n' "$round" "$(cat "$work/said")"
		tail -n 3 "$work/daemon.log"
		break
	fi
done
# Summed up as libcheck does it, for scripts/common.sh.
printf '%d%%: Checks: %d, Failures: %d, Errors: 0\n' \
	$((n_bad == 0 ? 100 : 0)) "$rounds" "$n_bad"
((n_bad == 0))

# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# disk.sh - the disk below the store is full.

# Who writes and never closes hears of it, too.
test_disk_full_tells_writer()
{
	local status=0
	mkdir disk
	mount -t tmpfs -o size=150m none disk
	"$SIGMAFS" mkfs -q disk/store
	mount_at disk/store mnt
	timeout 60 dd if=/dev/urandom of=mnt/noise bs=1M 2>err || status=$?
	same 'status of dd' "$status" 1
	grep -q 'No space left' err || fail "says: $(cat err)"
	# Nothing else of the file fails.
	stat mnt/noise
	cmp -n 1000000 mnt/noise mnt/noise
	rm mnt/noise
	"$SIGMAFS" umount mnt
	"$SIGMAFS" check disk/store
	umount disk
}

test_disk_full()
{
	local i
	mkdir disk
	mount -t tmpfs -o size=150m none disk
	"$SIGMAFS" mkfs -q disk/store
	mount_at disk/store mnt
	bytes 3000000 1 >mnt/first
	"$SIGMAFS" sync mnt
	# Noise does not shrink: it has to stop, at the write or at the sync.
	for ((i = 0; i < 40; i++)); do
		{ bytes 8000000 "$i" >"mnt/noise$i"; } 2>err || break
		sync "mnt/noise$i" 2>err || break
	done
	((i > 3 && i < 40)) || fail "stopped after $i files"
	grep -q 'No space left' err || fail "says: $(cat err)"
	bytes 3000000 1 | cmp - mnt/first
	# What was synced before is whole, and deleting still works.
	bytes 8000000 0 | cmp - mnt/noise0
	rm mnt/noise1
	rm -f "mnt/noise$i"
	# What could not be written may be told once more.
	"$SIGMAFS" sync mnt || "$SIGMAFS" sync mnt
	"$SIGMAFS" umount mnt
	mount_at disk/store mnt
	bytes 3000000 1 | cmp - mnt/first
	bytes 8000000 0 | cmp - mnt/noise0
	[[ ! -e mnt/noise1 ]] || fail 'the deleted file is back'
	"$SIGMAFS" umount mnt
	"$SIGMAFS" check disk/store
	umount disk
}

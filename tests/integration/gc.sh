# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# gc.sh - what was deleted gives its space back.

# number KEY: of the object on standard input.
gc_number()
{
	sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# Bytes that the disk below has free, in MiB.
free_mib()
{
	df --output=avail -m "$1" | tail -n 1 | tr -d ' '
}

test_gc()
{
	local before after
	"$SIGMAFS" mkfs -q store
	mount_at store mnt
	bytes 30000000 1 >mnt/goes
	bytes 3000000 2 >mnt/stays
	rm mnt/goes
	"$SIGMAFS" sync mnt
	before=$(du -sm store | cut -f 1)
	"$SIGMAFS" gc --json mnt >reply
	[[ $(gc_number freed_bytes <reply) -gt 20000000 ]] ||
		fail "gave back: $(cat reply)"
	after=$(du -sm store | cut -f 1)
	((after + 20 < before)) || fail "$before MiB before, $after after"
	bytes 3000000 2 | cmp - mnt/stays
	"$SIGMAFS" gc mnt >reply
	grep -q '^gave back 0 bytes' reply || fail "again: $(cat reply)"
	"$SIGMAFS" umount mnt
	"$SIGMAFS" check store
	# Not mounted, and without the index.
	rm -f store/index.db*
	"$SIGMAFS" gc store >reply
	mount_at store mnt
	bytes 3000000 2 | cmp - mnt/stays
	[[ ! -e mnt/goes ]] || fail 'the deleted file is back'
	"$SIGMAFS" umount mnt
	"$SIGMAFS" check store
}

test_gc_refuses()
{
	fails 'gc' "$SIGMAFS" gc
	fails 'nowhere' "$SIGMAFS" gc nowhere
}

# A store that has filled its disk goes on when files are deleted.
test_gc_full_disk()
{
	local i
	mkdir disk
	mount -t tmpfs -o size=150m none disk
	"$SIGMAFS" mkfs -q disk/store
	mount_at disk/store mnt
	for ((i = 0; i < 40; i++)); do
		{ bytes 8000000 "$i" >"mnt/noise$i"; } 2>err || break
		sync "mnt/noise$i" 2>err || break
	done
	((i > 6 && i < 40)) || fail "stopped after $i files"
	rm -f "mnt/noise$i" mnt/noise[2-9] mnt/noise1?
	"$SIGMAFS" sync mnt || "$SIGMAFS" sync mnt
	"$SIGMAFS" gc mnt
	(($(free_mib disk) > 80)) || fail "only $(free_mib disk) MiB are free"
	for ((i = 2; i < 8; i++)); do
		bytes 8000000 "$i" >"mnt/new$i"
	done
	"$SIGMAFS" sync mnt
	bytes 8000000 0 | cmp - mnt/noise0
	bytes 8000000 5 | cmp - mnt/new5
	"$SIGMAFS" umount mnt
	"$SIGMAFS" check disk/store
	umount disk
}

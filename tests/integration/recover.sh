# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# recover.sh - what is left of a store when the disk lies.

# A store with a bit of everything, in several segments, and `ref`, a copy of what
# is in it.
recover_store()
{
	"$SIGMAFS" mkfs -q store
	mount_at store mnt
	mkdir -p mnt/text/sub mnt/data
	for ((i = 0; i < 40; i++)); do
		seq "$i" $((i * 40 + 3)) >"mnt/text/sub/file$i"
	done
	bytes 700000 1 >mnt/data/noise
	ln mnt/data/noise mnt/data/other
	"$SIGMAFS" umount mnt
	mount_at store mnt
	bytes 500000 2 >mnt/data/more
	chown 12:34 mnt/data/more
	chmod 4751 mnt/data/more
	setfattr -n user.key -v value mnt/data/more
	truncate -s 3000000 mnt/data/holes
	echo tail >>mnt/data/holes
	ln -s ../text/sub mnt/data/link
	mkfifo -m 640 mnt/data/pipe
	touch -d '2001-02-03 04:05:06.789' mnt/text mnt/data/link
	"$SIGMAFS" umount mnt
	mount_at store mnt
	rm mnt/text/sub/file7
	mv mnt/text/sub/file8 mnt/text/moved
	rsync -aHAX mnt/ ref/
	"$SIGMAFS" umount mnt
	same "segments" "$(find store/log -name '*.seg' | wc -l)" 4
}

# recover_status STATUS ARGUMENT...
recover_status()
{
	local wanted=$1 status=0
	shift
	rm -rf out
	"$SIGMAFS" recover "$@" out >report 2>err || status=$?
	[[ $status == "$wanted" ]] ||
		fail "recover $*: $status; $(cat report err)"
}

# The same tree, with all attributes. rsync says what differs.
recover_same()
{
	rsync -aHAXnc --delete -i ref/ out/ >differ
	[[ ! -s differ ]] || fail "differs: $(cat differ)"
}

# What has the name that it should have is what it was; recover_good WITHOUT:
# the names that may be missing, as a pattern.
recover_good()
{
	local name
	while read -r name; do
		if [[ -e out/$name ]]; then
			cmp "ref/$name" "out/$name"
		elif ! [[ $name =~ $1 ]]; then
			fail "$name is not there; $(cat report)"
		fi
	done < <(cd ref && find . -type f)
}

# poke FILE OFFSET: one bit of a file is wrong.
poke()
{
	local old
	old=$(dd if="$1" bs=1 skip="$2" count=1 status=none |
		od -An -tu1 | tr -d ' ')
	printf '%b' "\\x$(printf '%02x' $((old ^ 4)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

test_recover_whole()
{
	local before
	recover_store
	before=$(cd store && find . -type f -exec sha256sum {} + | sort)
	recover_status 0 store
	recover_same
	same 'last line' "$(tail -n 1 report)" 'all is there'
	same 'the store' "$(cd store && find . -type f -exec sha256sum {} + |
		sort)" "$before"
	# The superblock and the index are not needed.
	rm -f store/sigmafs.store store/index.db* store/lock
	recover_status 0 store
	recover_same
	# Nor are names, nor their order.
	mkdir pile
	mv store/log/0000000001.seg pile/z
	mv store/log/0000000002.seg pile/y.seg
	mv store/log/0000000003.seg pile/x
	mv store/log/0000000004.seg pile/w
	recover_status 0 pile/x pile/w pile/z pile/y.seg
	recover_same
	rm pile/z
	mv pile/x pile/x.seg
	mv pile/w pile/w.seg
	recover_status 4 pile
	grep -q '^segments are missing: 1 to 1' report || fail "$(cat report)"
}

test_recover_without_a_segment()
{
	recover_store
	cp -a store copy
	# The names are in the index, the data is in the segment.
	rm store/log/0000000003.seg
	recover_status 4 store
	grep -q '^segments are missing: 3 to 3' report || fail "$(cat report)"
	grep -q "^'data/more': lost, zeros now: bytes 0 to 499999" report ||
		fail "$(cat report)"
	recover_good '/data/(more|holes)$'
	[[ -f out/data/more.partial && ! -e out/data/more ]] ||
		fail 'a partial file is not marked'
	same 'size' "$(stat -c %s out/data/more.partial)" 500000
	# Without the index what the segment said is lost, and no more.
	rm store/index.db
	recover_status 4 store
	cmp out/data/noise ref/data/noise
	cmp out/text/sub/file30 ref/text/sub/file30
	recover_good '/data/(more|holes|link|pipe)$'
	# The first one holds the root, the second one nearly all.
	rm copy/log/0000000002.seg copy/index.db
	recover_status 4 copy
	cmp out/data/more ref/data/more ||
		cmp "$(find out -name 'more')" ref/data/more
}

test_recover_flips()
{
	local seed name size
	recover_store
	cp -a store copy
	for seed in 1 2 3 4 5 6 7 8; do
		rm -rf store
		cp -a copy store
		((seed % 2 == 0)) || rm store/index.db
		for name in 2 3 4; do
			size=$(stat -c %s "store/log/000000000$name.seg")
			poke "store/log/000000000$name.seg" \
				$((seed * 7919 * name % size))
		done
		recover_status 4 store
		recover_good '.*'
		grep -q 'no good record in bytes' report ||
			fail "no damage is named: $(cat report)"
	done
	# A frame: the file of that range, and no other.
	rm -rf store
	cp -a copy store
	poke store/log/0000000002.seg 300000
	recover_status 4 store
	recover_good '/data/(noise|other)$'
	[[ out/data/noise.partial -ef out/data/other.partial ]] ||
		fail "links: $(find out/data)"
	# What the header of a segment was can be told.
	rm -rf store
	cp -a copy store
	poke store/log/0000000002.seg 50
	poke store/log/0000000003.seg 3
	recover_status 0 store
	recover_same
	same 'told' "$(grep -c 'the header was damaged' report)" 2
}

test_recover_json()
{
	recover_store
	poke store/log/0000000002.seg 300000
	recover_status 4 --json store
	grep -q '^{"what":"bad_bytes","path":".*0000000002.seg","from":' \
		report || fail "$(cat report)"
	grep -q '^{"what":"range_lost","path":"data/\(noise\|other\)"' report ||
		fail "$(cat report)"
	tail -n 1 report | grep -q '^{"what":"summary",.*"clean":false}$' ||
		fail "$(cat report)"
}

# A disk: junk, segments at odd places, in no order.
recover_image()
{
	bytes 12345 7
	cat store/log/0000000004.seg
	bytes 777 8
	"$@"
	bytes 4099 9
	cat store/log/0000000001.seg
	bytes 13 11
	cat store/log/0000000003.seg
	bytes 50000 12
}

# In two parts, the second one first; they meet within a record.
recover_halves()
{
	tail -c +300097 store/log/0000000002.seg
	bytes 31 10
	head -c 300096 store/log/0000000002.seg
}

test_recover_carve()
{
	recover_store
	recover_image cat store/log/0000000002.seg >image
	recover_status 0 --carve image
	recover_same
	recover_image recover_halves >image
	recover_status 4 --carve image
	recover_good '/data/(noise|other)$'
	# Two images, of which one has most.
	head -c 300000 image >image1
	tail -c +300001 image >image2
	recover_status 4 --carve image2 image1
	bytes 300000 13 >noise
	recover_status 8 --carve noise
	grep -q 'no segment of a store is there' err || fail "$(cat err)"
	[[ ! -e out ]] || fail 'a directory was made for nothing'
}

# The disk that all goes to is full: it ends, and what is cut off tells that.
test_recover_full_disk()
{
	local status=0
	mkdir out.d
	"$SIGMAFS" mkfs -q store
	mount_at store mnt
	bytes 9000000 2 >mnt/file
	"$SIGMAFS" umount mnt
	mount -t tmpfs -o size=6m none out.d
	"$SIGMAFS" recover store out.d/out >report 2>err || status=$?
	same status "$((status & 8))" 8
	grep -q "'out.d/out': No space left" err || fail "$(cat err)"
	grep -q '^not all could be copied$' report || fail "$(cat report)"
	same names "$(ls out.d/out)" file.partial
	bytes 9000000 2 >whole
	cmp -n "$(stat -c %s out.d/out/file.partial)" whole \
		out.d/out/file.partial
	umount out.d
}

# Interrupted, it marks what it was at. It may be quicker than we are.
test_recover_interrupted()
{
	local status=0 pid
	"$SIGMAFS" mkfs -q store
	mount_at store mnt
	bytes 30000000 2 >mnt/file
	"$SIGMAFS" umount mnt
	"$SIGMAFS" recover store out >report 2>err &
	pid=$!
	until [[ -e out/file ]] || is_gone "$pid"; do :; done
	kill -INT "$pid" || true
	wait "$pid" || status=$?
	((status == 0 || status == 32)) || fail "$status: $(cat report err)"
	bytes 30000000 2 >whole
	if ((status == 0)); then
		cmp whole out/file
	else
		grep -q 'recover: cancelled' err || fail "$(cat err)"
		same names "$(ls out)" file.partial
		cmp -n "$(stat -c %s out/file.partial)" whole \
			out/file.partial
	fi
}

test_recover_refuses()
{
	refuses 16 'too few arguments' "$SIGMAFS" recover
	refuses 16 'too few arguments' "$SIGMAFS" recover somewhere
	refuses 8 "'nowhere'" "$SIGMAFS" recover nowhere new
	start
	cd "$work"
	refuses 8 'in use' "$SIGMAFS" recover store new
	"$SIGMAFS" umount mnt
	mkdir full
	touch full/file
	refuses 8 "'full'" "$SIGMAFS" recover store full
	ln -s "$work/mnt" link
	refuses 8 "'link'" "$SIGMAFS" recover store link
	refuses 8 "'store/new'" "$SIGMAFS" recover store store/new
	refuses 16 'is a directory' "$SIGMAFS" recover --carve store new
	"$SIGMAFS" recover store new
}

# inspected STATUS ARGUMENT...: what `inspect` shows, in `shown`.
inspected()
{
	local wanted=$1 status=0
	shift
	"$SIGMAFS" inspect "$@" >shown 2>err || status=$?
	same "status of inspect $*" "$status" "$wanted"
}

# has PATTERN: a line of what was shown.
has()
{
	grep -qE -- "$1" shown || fail "no line '$1' in: $(head -n 30 shown)"
}

test_inspect()
{
	local id
	recover_store
	inspected 0 store
	has "^superblock uuid='[0-9a-f]{32}' label='' created=[0-9]+ "
	same 'segments' "$(grep -c '^segment number=' shown)" 4
	inspected 0 --json store segments
	same 'segments' "$(grep -c '^{"what":"segment","number":' shown)" 4
	inspected 0 store records
	has "^record segment=2 .*type='frame' .*chunks=[0-9]+ .*nodes='"
	has "^record segment=1 .*type='operations' sequence=1 "
	inspected 0 store commits
	has "type='commit' .*first=1 records=1 durable="
	inspected 0 store operations
	has "type='DIRENT' .*name='noise'"
	has "type='INODE' .*mode='104751' .*uid=12 gid=34 "
	has "type='XATTR' .*name='user.key' length=5"
	has "type='XATTR' .*target='../text/sub'"
	has "type='MAP' .*file_offset=0 length=[0-9]+ extents="
	inspected 0 store codebooks
	inspected 0 store file data/holes
	has "^inode inode=[0-9]+ mode='100644' links=1 .*size=3000005 "
	has "^hole file_offset=0 length=2998272$|^hole file_offset=0 length=3000000$"
	id=$(sed -n 's/^chunk .* chunk=\([0-9]*\) .*/\1/p' shown | head -n 1)
	inspected 0 --json store chunk "$id"
	has "^\{\"what\":\"chunk\",\"chunk\":$id,.*\"nodes\":\"[a-z]"
	inspected 4 store chunk 999999
	has "error='"
	# Nothing of it must be whole.
	rm store/sigmafs.store store/index.db
	poke store/log/0000000002.seg 300000
	truncate -s 100 store/log/0000000001.seg
	poke store/log/0000000003.seg 20
	inspected 4 store
	has "^superblock error='No such file"
	has "^segment number=3 .*error='"
	has "^segment bytes=100 .*error='"
	inspected 0 store commits
	inspected 0 store codebooks
	inspected 0 --json store operations
	inspected 4 store records
	has "^record segment=2 .*error='a checksum is wrong'"
	has "^gap segment=2 .*error='"
	inspected 4 store file data/noise
	has "^chunk .*error='"
	refuses 16 'is needed' "$SIGMAFS" inspect
	refuses 16 'is needed' "$SIGMAFS" inspect store everything
	refuses 16 'is needed' "$SIGMAFS" inspect store chunk x
	refuses 8 "'nowhere'" "$SIGMAFS" inspect nowhere records
}

# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# real.sh - programs that people run.

test_real_git()
{
	start
	mkdir origin
	cd origin
	git init -q .
	git config user.email nobody@example.org
	git config user.name nobody
	for commit in 1 2 3 4 5; do
		mkdir -p "dir$commit"
		for file in 1 2 3 4 5 6 7 8; do
			seq "$commit" $((commit * file * 300)) \
				>"dir$commit/file$file"
		done
		seq 1 "$commit" >changes
		git add -A
		git commit -q -m "commit $commit"
	done
	cd "$work/mnt"
	git clone -q origin clone
	cd clone
	git fsck --full --strict
	same status "$(git status --porcelain)" ''
	git gc -q
	git fsck --full --strict
	cd "$work/mnt"
	again
	cd clone
	git fsck --full --strict
	same status "$(git status --porcelain)" ''
	cd "$work/mnt"
	finish
}

test_real_sqlite()
{
	local i
	start
	for journal in delete wal; do
		sqlite3 "$journal.db" "PRAGMA journal_mode=$journal;
			CREATE TABLE t (who, n)" >/dev/null
		for who in a b; do
			for ((i = 0; i < 60; i++)); do
				echo "INSERT INTO t VALUES ('$who', $i);"
			done | sqlite3 -cmd '.timeout 30000' "$journal.db" &
		done
		wait
		same rows "$(sqlite3 "$journal.db" 'SELECT count(*) FROM t')" \
			120
		same check "$(sqlite3 "$journal.db" \
			'PRAGMA integrity_check')" ok
	done
	again
	for journal in delete wal; do
		same check "$(sqlite3 "$journal.db" \
			'PRAGMA integrity_check; SELECT count(*) FROM t')" \
			$'ok\n120'
	done
	finish
}

test_real_tree()
{
	start
	# It is there wherever something is compiled.
	cp -a /usr/include/linux .
	diff -r --no-dereference /usr/include/linux linux
	tar -cf - linux | tar -C "$work" -xf -
	diff -r --no-dereference "$work/linux" linux
	again
	diff -r --no-dereference /usr/include/linux linux
	rm -rf linux
	same left "$(ls -A)" ''
	finish
}

test_real_build()
{
	local i
	start
	for ((i = 0; i < 20; i++)); do
		printf 'int f%d(int x) { return x + %d; }\n' "$i" "$i" >"f$i.c"
	done
	{
		printf 'int f%d(int);\n' $(seq 0 19)
		echo 'int main(void) { return f3(4) + f19(1) - 27; }'
	} >main.c
	for source in *.c; do
		"${compiler[@]}" -c "$source" -o "${source%.c}.o" &
	done
	wait
	ar cr libf.a f*.o
	"${compiler[@]}" main.o -L. -lf -o program
	./program
	again
	./program
	finish
}

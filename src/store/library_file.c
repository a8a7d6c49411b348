/* SPDX-License-Identifier: MIT */
/*
 * library_file.c - codebooks out of a store into files, and back.
 */
#include "store/library.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "stream/codebook_record.h"

#include <errno.h>
#include <fcntl.h>

static const uint8_t zstd_magic[] = { 0x37, 0xa4, 0x30, 0xec };

static int write_new(const char *path, struct span bytes)
{
	AUTO_CLOSE int fd =
		io_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	int rc;

	if (fd < 0)
		return fd;
	rc = io_pwrite(fd, bytes.ptr, bytes.len, 0);
	if (rc == 0)
		rc = io_fsync(fd);
	if (rc < 0)
		(void)io_unlink(AT_FDCWD, path);
	return rc;
}

static int put_file(const struct codebook *b, struct buffer *out)
{
	struct encoder *e = NULL;
	int rc = encoder_new(&e);

	if (rc == 0)
		rc = codebook_file_put(e, codebook_head(b), codebook_bytes(b),
				       out);
	encoder_free(e);
	return rc;
}

int library_export(struct store *s, uint64_t id, bool raw, const char *path)
{
	struct codebook *b = NULL;
	struct buffer file;
	int rc = library_get(s, id, &b);

	if (rc < 0)
		return rc == -ENOENT ? -ENODATA : rc;
	/* One of a newer class has no name that we could write. */
	if (!raw && !codebook_class_name(codebook_head(b)->class)) {
		codebook_put(b);
		return -EOPNOTSUPP;
	}
	buffer_init(&file, CODEBOOK_FILE_MAX);
	if (!raw)
		rc = put_file(b, &file);
	if (rc == 0)
		rc = write_new(path,
			       raw ? codebook_bytes(b) : buffer_span(&file));
	buffer_release(&file);
	codebook_put(b);
	return rc;
}

/* All of a file, if it is no longer than one may be. */
static int read_whole(const char *path, struct buffer *ret)
{
	AUTO_CLOSE int fd = io_open(AT_FDCWD, path, O_RDONLY, 0);
	ssize_t n;
	int rc;

	if (fd < 0)
		return fd;
	rc = buffer_reserve(ret, CODEBOOK_FILE_MAX);
	if (rc < 0)
		return rc;
	n = io_pread(fd, ret->data, CODEBOOK_FILE_MAX, 0);
	if (n < 0)
		return (int)n;
	if (n == CODEBOOK_FILE_MAX)
		return -EINVAL;
	ret->len = (size_t)n;
	return 0;
}

static int open_payload(struct span payload, struct codebook **ret)
{
	struct decoder *d = NULL;
	int rc = decoder_new(&d);

	if (rc == 0)
		rc = codebook_record_open(d, payload, ret);
	decoder_free(d);
	return rc;
}

static int publish(struct store *s, struct span dictionary,
		   enum content_class class, uint64_t *ret_id)
{
	if (dictionary.len < CODEBOOK_LEN_MIN ||
	    memcmp(dictionary.ptr, zstd_magic, sizeof(zstd_magic)) != 0)
		return -EINVAL;
	return library_publish(s, class, dictionary, ret_id);
}

static int import_bytes(struct store *s, struct span file,
			enum content_class class, bool named, uint64_t *ret_id)
{
	struct codebook *b = NULL;
	struct span payload;
	int rc = codebook_file_payload(file, &payload);

	if (rc == -EINVAL)
		return publish(s, file, class, ret_id);
	if (rc == 0)
		rc = open_payload(payload, &b);
	if (rc < 0)
		return rc;
	if (!named)
		class = codebook_head(b)->class;
	rc = publish(s, codebook_bytes(b), class, ret_id);
	codebook_put(b);
	return rc;
}

int library_import(struct store *s, const char *path, const char *class,
		   uint64_t *ret_id)
{
	enum content_class c = CONTENT_TEXT;
	struct buffer file;
	int rc = 0;

	if (class && codebook_class_find(span_of(class, strlen(class)), &c) < 0)
		return -EINVAL;
	buffer_init(&file, CODEBOOK_FILE_MAX);
	rc = read_whole(path, &file);
	if (rc == 0)
		rc = import_bytes(s, buffer_span(&file), c, class != NULL,
				  ret_id);
	buffer_release(&file);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/*
 * model_data.c - the content of the model's files.
 */
#include "lib/model.h"

#include "base/bytes.h"
#include "lib/model_impl.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>

/* Index of the first page numbered `no` or higher. */
static size_t page_index(const struct model_node *node, uint64_t no)
{
	size_t lo = 0;
	size_t hi = node->n_pages;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (node->pages[mid].no < no)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static uint8_t *page_find(const struct model_node *node, uint64_t no)
{
	size_t i = page_index(node, no);

	if (i == node->n_pages || node->pages[i].no != no)
		return NULL;
	return node->pages[i].bytes;
}

static uint8_t *page_make(struct model_node *node, uint64_t no)
{
	uint8_t *bytes = page_find(node, no);
	size_t i = page_index(node, no);

	if (bytes)
		return bytes;
	bytes = model_alloc(NULL, MODEL_PAGE);
	memset(bytes, 0, MODEL_PAGE);
	node->pages = model_alloc(node->pages,
				  (node->n_pages + 1) * sizeof(*node->pages));
	memmove(node->pages + i + 1, node->pages + i,
		(node->n_pages - i) * sizeof(*node->pages));
	node->pages[i] = (struct model_page){ .no = no, .bytes = bytes };
	node->n_pages++;
	return bytes;
}

/* Zeros in [from, to), which may be beyond the end. */
static void clear(struct model_node *node, uint64_t from, uint64_t to)
{
	size_t i = page_index(node, from / MODEL_PAGE);
	size_t keep = i;

	for (; i < node->n_pages; i++) {
		struct model_page *page = &node->pages[i];
		uint64_t start = page->no * MODEL_PAGE;
		uint64_t lo = max_u64(start, from);
		uint64_t hi = min_u64(start + MODEL_PAGE, to);

		if (lo < hi && hi - lo == MODEL_PAGE) {
			free(page->bytes);
			continue;
		}
		if (lo < hi)
			memset(page->bytes + (lo - start), 0, hi - lo);
		node->pages[keep++] = *page;
	}
	node->n_pages = keep;
}

static int usable(const struct model_node *node)
{
	if (model_is_dir(node))
		return -EISDIR;
	return model_is_file(node) ? 0 : -EINVAL;
}

static void changed(struct model *m, struct model_node *node)
{
	node->mtime_known = false;
	node->data_step = m->step;
}

static void put(struct model_node *node, uint64_t off, const uint8_t *bytes,
		size_t len)
{
	while (len > 0) {
		size_t skip = off % MODEL_PAGE;
		size_t n = min_u64(len, MODEL_PAGE - skip);

		memcpy(page_make(node, off / MODEL_PAGE) + skip, bytes, n);
		off += n;
		bytes += n;
		len -= n;
	}
}

int model_write(struct model *m, uint32_t id, uint64_t off, const void *bytes,
		size_t len)
{
	struct model_node *node = m->nodes[id];
	int rc = usable(node);

	if (rc)
		return rc;
	if (off > MODEL_SIZE_MAX || len > MODEL_SIZE_MAX - off)
		return -EFBIG;
	put(node, off, bytes, len);
	node->size = max_u64(node->size, off + len);
	changed(m, node);
	return 0;
}

int model_resize(struct model *m, uint32_t id, uint64_t size)
{
	struct model_node *node = m->nodes[id];
	int rc = usable(node);

	if (rc)
		return rc;
	if (size > MODEL_SIZE_MAX)
		return -EFBIG;
	if (size < node->size)
		clear(node, size, UINT64_MAX);
	node->size = size;
	changed(m, node);
	return 0;
}

size_t model_read(const struct model_node *node, uint64_t off, void *buf,
		  size_t len)
{
	uint8_t *dst = buf;
	size_t done = 0;

	if (off >= node->size)
		return 0;
	len = min_u64(len, node->size - off);
	while (done < len) {
		uint64_t at = off + done;
		size_t skip = at % MODEL_PAGE;
		size_t n = min_u64(len - done, MODEL_PAGE - skip);
		const uint8_t *page = page_find(node, at / MODEL_PAGE);

		if (page)
			memcpy(dst + done, page + skip, n);
		else
			memset(dst + done, 0, n);
		done += n;
	}
	return len;
}

int model_allocate(struct model *m, uint32_t id, int mode, uint64_t off,
		   uint64_t len)
{
	struct model_node *node = m->nodes[id];
	bool keep = mode & FALLOC_FL_KEEP_SIZE;
	int what = mode & ~FALLOC_FL_KEEP_SIZE;
	int rc;

	if (len == 0)
		return -EINVAL;
	if (what != 0 && what != FALLOC_FL_ZERO_RANGE &&
	    !(what == FALLOC_FL_PUNCH_HOLE && keep))
		return -EOPNOTSUPP;
	rc = usable(node);
	if (rc)
		return rc;
	if (off > MODEL_SIZE_MAX || len > MODEL_SIZE_MAX - off)
		return -EFBIG;
	if (what != 0)
		clear(node, off, off + len);
	if (what != FALLOC_FL_PUNCH_HOLE)
		node->reserved = true;
	if (!keep)
		node->size = max_u64(node->size, off + len);
	changed(m, node);
	return 0;
}

int64_t model_copy(struct model *m, const struct model_range *from,
		   const struct model_range *to, size_t len)
{
	struct model_node *src = m->nodes[from->id];
	int rc = usable(src);
	uint8_t *bytes;

	if (!rc)
		rc = usable(m->nodes[to->id]);
	if (rc)
		return rc;
	if (from->off >= src->size || len == 0)
		return 0;
	len = min_u64(len, src->size - from->off);
	if (from->id == to->id && from->off < to->off + len &&
	    to->off < from->off + len)
		return -EINVAL;
	bytes = model_alloc(NULL, len);
	len = model_read(src, from->off, bytes, len);
	rc = model_write(m, to->id, to->off, bytes, len);
	free(bytes);
	return rc ? rc : (int64_t)len;
}

uint64_t model_nonzero(const struct model_node *node, uint64_t off)
{
	size_t i = page_index(node, off / MODEL_PAGE);

	for (; i < node->n_pages; i++) {
		uint64_t start = node->pages[i].no * MODEL_PAGE;
		size_t k = off > start ? off - start : 0;

		while (k < MODEL_PAGE && node->pages[i].bytes[k] == 0)
			k++;
		if (k < MODEL_PAGE)
			return start + k;
	}
	return node->size;
}

/* SPDX-License-Identifier: MIT */
/*
 * main.c - the unit tests of src/store.
 */
#include "unit/store/suites.h"

#include "lib/fault.h"
#include "lib/suite.h"

int main(void)
{
	static const suite_maker suites[] = {
		suite_superblock,
		suite_superblock_restore,
		suite_segment,
		suite_sketches,
		suite_scan,
		suite_carve,
		suite_log,
		suite_ops,
		suite_ahead,
		suite_bank,
		suite_cache,
		suite_store,
		suite_commit,
		suite_replay,
		suite_context,
		suite_deltas,
		suite_leisure,
		suite_library,
		suite_sampler,
		suite_rounds,
		suite_checkpoint,
		suite_fault,
		suite_chunk,
		suite_idle,
		suite_index,
		suite_move,
		suite_db,
		suite_ingest,
		suite_layout,
		suite_recode,
		suite_optimize,
		suite_study,
		suite_clean,
		suite_scrub,
		suite_chunk_rows,
		suite_disorder,
		NULL,
	};

	fault_skip_syncs(true); /* nobody pulls a real plug */
	return suite_run(suites);
}

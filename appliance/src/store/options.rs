//! RocksDB's settings, in one place: one shape of files, whoever writes or reads them.
//!
//! What they are chosen for:
//!
//! - **Bounded memory.** Index and filter blocks live in the block cache, partitioned, so that the
//!   memory of a reader is the cache's size whatever the store's. Zip chunks are read past the cache.
//! - **A reader never loses a file.** A secondary instance keeps every file of its version open
//!   (`max_open_files` = -1): the importer's compaction unlinks files that are no longer needed, and an open
//!   file stays readable until the reader has caught up. The price is one file descriptor a file: a
//!   store has about one a [`ZIP_FILE`] bytes of zips and one or two an import, so the process's limit
//!   is raised as far as it may be.
//! - **Zips are written once.** No time makes a file old (`ttl`, periodic compaction off), and zip
//!   files overlap nothing, so that they go to the last level at once and stay there.
//! - **No compression**: zips are compressed, and tiles are hashes.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, LogLevel, Options,
};
use std::sync::LazyLock;

/// Block cache of a reader, in bytes: data blocks of small things, indexes and filters.
pub const READER_CACHE: usize = 64 << 20;

/// Block cache of an import, in bytes.
pub const WRITER_CACHE: usize = 32 << 20;

/// A file of zip chunks is closed when it has this many bytes: few, in tests, so that there are several.
pub const ZIP_FILE: u64 = if cfg!(test) { 2 << 20 } else { 256 << 20 };

/// Memory for an import's small things before they go to its scratch database's files, in bytes.
const SCRATCH_BUFFER: usize = 8 << 20;

fn table(cache: Option<&Cache>) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_size(8 << 10);
    table.set_format_version(6);
    // A miss is the ordinary answer of a mirror, and answered from memory.
    table.set_bloom_filter(10.0, false);
    table.set_whole_key_filtering(true);
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4 << 10);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_top_level_index_and_filter(true);
    if let Some(cache) = cache {
        table.set_block_cache(cache);
    }
    table
}

/// Raises the number of files that this process may have open to what the system lets it have.
///
/// The limits are read from /proc and not asked for, since a unit's filter of system calls may forbid
/// that; and units set both limits alike, so that there nothing is left to raise.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let mut numbers = line
        .into_iter()
        .flat_map(str::split_whitespace)
        .map(str::parse::<u64>);
    if let (Some(Ok(soft)), Some(Ok(hard))) = (numbers.next(), numbers.next())
        && soft < hard
    {
        let raised = Rlimit {
            current: Some(hard),
            maximum: Some(hard),
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
}

fn common(cache: Option<&Cache>) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(&table(cache));
    options.set_compression_type(DBCompressionType::None);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_ttl(0);
    options.set_periodic_compaction_seconds(0);
    options.set_max_open_files(-1);
    options.set_bytes_per_sync(4 << 20); // dirty pages go out while an import still reads
    options.set_max_background_jobs(2);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(1 << 20);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// The settings of a reader: a secondary instance.
pub fn reader() -> Options {
    allow_many_files();
    common(Some(&Cache::new_hyper_clock_cache(READER_CACHE, 0)))
}

/// The settings of the importer: the primary instance. Nothing is ever put into its memtable.
pub fn writer(create: bool) -> Options {
    allow_many_files();
    let mut options = common(Some(&Cache::new_hyper_clock_cache(WRITER_CACHE, 0)));
    options.create_if_missing(create);
    options.set_error_if_exists(create);
    options
}

/// The same, to go back to the newest state of which all files are there. It would pass over a log, which is always empty.
pub fn writer_before_a_failed_commit() -> Result<Options, rocksdb::Error> {
    writer(false).get_options_from_string("best_efforts_recovery=true")
}

/// The settings of an import's scratch database, which no one else reads and no crash needs.
pub fn scratch() -> Options {
    let mut options = common(Some(&Cache::new_hyper_clock_cache(SCRATCH_BUFFER, 0)));
    options.create_if_missing(true);
    options.set_error_if_exists(true);
    options.set_write_buffer_size(SCRATCH_BUFFER);
    options.set_max_write_buffer_number(2);
    options
}

/// The settings of the files that an import hands to RocksDB: they are to be the store's own.
pub fn files() -> &'static Options {
    static FILES: LazyLock<Options> = LazyLock::new(|| common(None));
    &FILES
}

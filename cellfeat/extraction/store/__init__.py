"""The feature file: written as parts that are published whole, then consolidated; the only home of h5py and filelock.

``docs/feature-file.md`` describes layout, checksums and rules. In short: ``<output>.parts/`` holds ``run.json`` (the
header of the run) and one file for each `part_size` rows; when all parts are present, they are copied into one
temporary file, which is flushed to disk and renamed in one step. So the output is either absent or whole.
"""

from cellfeat.extraction.store.describe import (
    describe_constant_channels,
    describe_intensity,
    describe_mixture,
    describe_properties,
    describe_summary,
)
from cellfeat.extraction.store.features import GIVEN_GROUPS, PIXEL_SIZES, Features
from cellfeat.extraction.store.format import DIGEST_BYTES, Rows, hex_digests, parts_folder
from cellfeat.extraction.store.frames import column_names
from cellfeat.extraction.store.given import Given
from cellfeat.extraction.store.header import RunHeader, unfinished_run
from cellfeat.extraction.store.imported import IMPORTED, is_imported
from cellfeat.extraction.store.lock import held_output
from cellfeat.extraction.store.merge import NEW, Carried
from cellfeat.extraction.store.part_comparison import CLOSE, EXACT, relative_difference
from cellfeat.extraction.store.part_file import part_checksum
from cellfeat.extraction.store.part_removal import has_parts, remove_parts
from cellfeat.extraction.store.parts import PartStore
from cellfeat.extraction.store.reading import (
    Summary,
    as_features,
    load_features,
    local_file,
    read_embeddings,
    read_intensities,
    read_pixel_digests,
    read_properties,
    read_summary,
    read_table,
    replace_table,
    verify_features,
)
from cellfeat.extraction.store.recorded_networks import RecordedNetwork, column_blocks, recorded_networks
from cellfeat.extraction.store.sample_table import SampleTable
from cellfeat.extraction.store.samples import (
    INTENSITIES,
    PROPERTIES,
    Intensities,
    Properties,
    Samples,
    Status,
    no_intensities,
    no_properties,
    samples_digest,
)
from cellfeat.extraction.store.stored_type import FLOAT32, allowed_difference, rounded, stored_type
from cellfeat.extraction.store.view_folder import make_view_folder, view_folder

__all__ = [
    "CLOSE",
    "DIGEST_BYTES",
    "EXACT",
    "FLOAT32",
    "GIVEN_GROUPS",
    "IMPORTED",
    "INTENSITIES",
    "NEW",
    "PIXEL_SIZES",
    "PROPERTIES",
    "Carried",
    "Features",
    "Given",
    "Intensities",
    "PartStore",
    "Properties",
    "RecordedNetwork",
    "Rows",
    "RunHeader",
    "SampleTable",
    "Samples",
    "Status",
    "Summary",
    "allowed_difference",
    "as_features",
    "column_blocks",
    "column_names",
    "describe_constant_channels",
    "describe_intensity",
    "describe_mixture",
    "describe_properties",
    "describe_summary",
    "has_parts",
    "held_output",
    "hex_digests",
    "is_imported",
    "load_features",
    "local_file",
    "make_view_folder",
    "no_intensities",
    "no_properties",
    "part_checksum",
    "parts_folder",
    "read_embeddings",
    "read_intensities",
    "read_pixel_digests",
    "read_properties",
    "read_summary",
    "read_table",
    "recorded_networks",
    "relative_difference",
    "remove_parts",
    "replace_table",
    "rounded",
    "samples_digest",
    "stored_type",
    "unfinished_run",
    "verify_features",
    "view_folder",
]

"""Maps of samples: two coordinates for each, in which samples with similar embeddings lie close together."""

from cellfeat.maps.sample_map import MapMethod, SampleMap, default_method, find_map, make_map

__all__ = ["MapMethod", "SampleMap", "default_method", "find_map", "make_map"]

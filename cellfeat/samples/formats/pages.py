"""Pages of a file that may be cells: what to do with them, for messages."""

MOST_PAGES = 16
"""Pages that may well be channels; more of them are depths, times or cells unless the file says otherwise."""
AS_FILES = "save each as a file of its own"
CELLS_AS_FILES = (
    f"{AS_FILES}, in Python with: for i, cell in enumerate(tifffile.imread('A.tif')): "
    "tifffile.imwrite(f'A_{i:04d}.tif', cell)"
)
"""How to save the cells of a file whose pages are of one size."""
PAGES_AS_FILES = (
    f"{AS_FILES}, in Python with: for i, page in enumerate(tifffile.TiffFile('A.tif').pages): "
    "tifffile.imwrite(f'A_{i:04d}.tif', page.asarray())"
)
"""How to save the cells of a file whose pages differ in size."""

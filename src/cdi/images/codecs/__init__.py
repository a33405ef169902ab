"""
How compressed bytes become plain ones: gzip, xz, zstd, bzip2 and lz4.

Here: telling a compression by its magic (`codec`), decoding a forward stream within bounded
memory (`gzip`, `bzip2`, `lz4`, `zstd`, `xz`), the points where decoding can begin anew after a
kill (`decoder.Restart`), and the containers whose parts can be decoded in parallel (`blocks`).
Elsewhere: fetching the bytes (`sources`), what the decompressed bytes mean (`formats`), and
refusing compressions that are known but not read here (`formats`).

Sizes and offsets are in bytes. Raises CorruptImage, TruncatedSource, UnsafeImage and
UnsupportedFormat, never an error of the libraries underneath. Nothing here does I/O of its own.
"""

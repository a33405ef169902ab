"""
How a disk is moved: from an open source to a finished target, and on from there after a break.

Here: one attempt and what it decides, the pass in order and the parallel one, the journal.
Elsewhere: where bytes come from (`sources`), what they mean (`codecs`, `formats`), and where
they go (`target`).
"""

"""The reference pages that are generated: `make docs` writes them, and tests hold the written pages to what would be written now.

A module here with `FILE` and `page()` is one page; a page about the database takes a connection to one that was just built from the schema files.
Pages: dictionary (every table and column, from the database's comments), source_map (what answers each part of the source design), problems, openapi, api.
"""

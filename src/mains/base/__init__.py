"""What every domain stands on and that knows nothing of utilities.

Modules: `db` (connections, actors, one transaction), `sql` (statements kept in files), `embedded` (our own PostgreSQL), `migrate` (how a database gets to its schema),
`problems` (errors that name the fact, the thing and the cure), `money`, `periods`, `units`, `ids`, `paging`.
"""

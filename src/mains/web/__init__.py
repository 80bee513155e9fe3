"""The pages: what a person of the utility reads, and a customer prints.

A screen crosses domains, so screens live apart from them. `views` says what each page shows, `reads` gathers it from the domains,
`format` writes numbers and dates in the
utility's zone and currency, `charts` works out the geometry of each picture, `pages` holds the routes, and `security` the headers every
answer carries. Templates hold the
markup, `static/` the three small files a browser needs; nothing is fetched from another host.
"""

"""All reading of the warehouse: one module for each kind of reader, named by what it wants to know.

`worklists.py` is the read side of the cascade: what is missing, stale or due. The others serve plans, pages,
pictures, workbooks, exports, checks and status. A query takes an open connection and returns records or rows, never
SQL; it says in its docstring which keys it reads, for tables are large. A new question belongs beside the reader that
asks it. Nothing here writes.
"""

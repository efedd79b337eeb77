"""Pictures and workbooks of what the warehouse holds."""

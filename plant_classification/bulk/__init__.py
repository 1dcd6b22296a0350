"""Many photos: found in folders, tables and archives, answered, and written as one table."""

"""Sets on the disk: Parquet, folders, tar files, in shards; rows, cards, and Ray."""

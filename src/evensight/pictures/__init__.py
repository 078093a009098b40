"""Pictures' files, decoded and checked."""

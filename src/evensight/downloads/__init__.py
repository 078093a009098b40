"""Files from elsewhere, fetched whole and right."""

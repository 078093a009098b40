"""Sets for other tools and from other generators."""

"""Examples: an image, its question and all that is known of it; made on the fly, stored, and audited."""

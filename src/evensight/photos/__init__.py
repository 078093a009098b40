"""Real photographs with their annotations, in COCO's format."""

"""Questions about an annotation, with options in a balanced order and one right answer."""

"""What a model's hidden states hold of a place: read by layer, probed with controls, and tried by changing them."""

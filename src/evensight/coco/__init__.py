"""Annotations in COCO's format, read without trust."""

"""What a set gives away before anybody looks at its pictures, and what its pictures show."""

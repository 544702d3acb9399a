"""What rows have in stores: a record of it, its collection once no row needs it, its verification."""

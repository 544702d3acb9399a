"""Tables altered to what their classes say: a plan first, then one transaction."""

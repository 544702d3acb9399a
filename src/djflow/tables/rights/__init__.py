"""Who may do what: levels of rights for roles, rows that belong to who inserted them."""

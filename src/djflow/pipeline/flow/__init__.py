"""Many tables populated at once: a key is made as soon as what it depends on is there."""

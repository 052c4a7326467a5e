"""Console: users, tokens, devices, approvals by mail, and the pages for all that."""

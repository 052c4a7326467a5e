"""The cloud side: users, tokens, devices, approvals by email, and the pages for all that."""
